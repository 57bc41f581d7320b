//! Steps that register targets and take them out.

use super::AS;
use crate::spec::grammar::Need::Required;
use crate::spec::grammar::{Field, Section, Type, field};

const TARGET: Field = field(
    "target",
    Required,
    Type::Line,
    "`group/target`; the target alone when it is in one group only. `service/pod`: an endpoint of a service, on all nodes of the \
        cluster; of a service whose balancer has pods as targets, the target.",
);

pub(super) static REGISTER: Section = Section {
    name: "`register`",
    doc: "Registers a target with its group (AWS: RegisterTargets). An instance of another VPC is `refused`, as by AWS.",
    fields: &[AS, TARGET],
};

pub(super) static DEREGISTER: Section = Section {
    name: "`deregister`",
    doc: "Deregisters a target from its group (AWS: DeregisterTargets).",
    fields: &[AS, TARGET],
};
