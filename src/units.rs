//! Durations, rates, shares and sizes as labs write them.
