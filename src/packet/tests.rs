//! Tests of the packet module.
