//! Which client's connection each of a proxy's connections to targets was opened for.

use super::Evidence;
use std::collections::HashMap;

/// For each of [`Evidence::pairs`] the number of the client's connection; none when it is not known. What a client's end
/// leads to is its connection's until another connection of that end begins.
pub fn connections_of_pairs(evidence: &Evidence) -> Vec<Option<usize>> {
    let connections = evidence.connections.iter().enumerate();
    let first: HashMap<usize, usize> = connections
        .filter_map(|(number, connection)| Some((connection.pair?, number)))
        .collect();
    let mut owner: HashMap<(&str, i64, &str), usize> = HashMap::new();
    let pairs = evidence.pairs.iter().enumerate();
    pairs
        .map(|(number, pair)| {
            let end = (pair.via.as_str(), pair.port, pair.client.as_str());
            if let Some(connection) = first.get(&number) {
                owner.insert(end, *connection);
            }
            owner.get(&end).copied()
        })
        .collect()
}
