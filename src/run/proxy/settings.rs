//! What a proxy goes by, as steps change it.

use super::Station;
use crate::fabric::Config;
use crate::fabric::config::BalancerId;
use std::sync::Mutex;

/// Settings of a balancer, as they are now.
pub(super) struct Settings<T> {
    now: Mutex<T>,
    read: fn(&Config, BalancerId) -> T,
}

impl<T: Clone + Send + 'static> Settings<T> {
    /// As the plan has them.
    pub(super) fn new(station: &Station, read: fn(&Config, BalancerId) -> T) -> Self {
        Self {
            now: Mutex::new(read(&station.plan.fabric, station.place.balancer)),
            read,
        }
    }

    /// As they are now.
    pub(super) fn get(&self) -> T {
        let now = self.now.lock();
        now.expect("no holder of this lock panics").clone()
    }

    /// Takes over what steps change, until there are no steps any more.
    pub(super) async fn follow(&self, station: &Station) {
        let (balancer, read) = (station.place.balancer, self.read);
        let driver = station.world.driver();
        let mut news = driver.news();
        while news.changed().await.is_ok() {
            let now = driver.ask(move |fabric, _| read(fabric.config(), balancer));
            *self.now.lock().expect("no holder of this lock panics") = now.await;
        }
    }
}
