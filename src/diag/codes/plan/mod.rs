//! Rules of the area `plan`: what names mean, and whether a lab can be what it says (0300..0499).

pub(super) mod addresses;
pub(super) mod balancers;
pub(super) mod destinations;
pub(super) mod findings;
pub(super) mod names;
pub(super) mod settings;
pub(super) mod stories;

pub use addresses::*;
pub use balancers::*;
pub use destinations::*;
pub use findings::*;
pub use names::*;
pub use settings::*;
pub use stories::*;
