//! From overlapping rules to pieces of the address space in which nothing changes.

use std::collections::{BTreeSet, HashMap};

use ipnet::IpNet;

use super::Rule;

/// The first rule that matches in each column; None: the default.
pub type Row = Vec<Option<u32>>;

/// The rows that occur, each once, by their number.
#[derive(Debug, Default)]
pub struct Rows {
    numbers: HashMap<Row, u32>,
    list: Vec<Row>,
}

impl Rows {
    fn number(&mut self, row: &Row) -> u32 {
        if let Some(number) = self.numbers.get(row) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.numbers.insert(row.clone(), number);
        self.list.push(row.clone());
        number
    }

    /// All of them.
    pub fn list(&self) -> &[Row] {
        &self.list
    }
}

/// Which columns a rule is for.
pub fn columns(rule: &Rule, columns: usize) -> Vec<usize> {
    match &rule.to {
        None => (0..columns).collect(),
        Some(to) => to.iter().map(|number| usize::from(*number)).filter(|number| *number < columns).collect(),
    }
}

/// Where a prefix begins, and where what is behind it begins, if anything is.
fn bounds(net: &IpNet) -> (u128, Option<u128>) {
    match net {
        IpNet::V4(net) => (u128::from(net.network().to_bits()), Some(u128::from(net.broadcast().to_bits()) + 1)),
        IpNet::V6(net) => (net.network().to_bits(), net.broadcast().to_bits().checked_add(1)),
    }
}

/// Cuts one family's address space: starts of the pieces, sorted and beginning with 0, and the number of their row.
pub fn sweep(rules: &[Rule], v4: bool, columns_len: usize, rows: &mut Rows) -> Vec<(u128, u32)> {
    let mut changes: Vec<(u128, bool, u32)> = Vec::new();
    for (number, rule) in (0..).zip(rules) {
        for net in rule.nets.iter().filter(|net| matches!(net, IpNet::V4(_)) == v4) {
            let (start, end) = bounds(net);
            changes.push((start, true, number));
            changes.extend(end.map(|end| (end, false, number)));
        }
    }
    changes.sort_unstable();
    let columns: Vec<Vec<usize>> = rules.iter().map(|rule| columns(rule, columns_len)).collect();
    let mut open: Vec<u32> = vec![0; rules.len()];
    let mut active: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); columns_len];
    let mut row: Row = vec![None; columns_len];
    let mut pieces = vec![(0, rows.number(&row))];
    let mut changes = changes.into_iter().peekable();
    while let Some((at, begins, rule)) = changes.next() {
        let number = rule as usize;
        // A rule may name overlapping prefixes.
        let before = open[number];
        open[number] = if begins { before + 1 } else { before - 1 };
        if before == 0 || open[number] == 0 {
            for column in &columns[number] {
                let set = &mut active[*column];
                if begins {
                    set.insert(rule)
                } else {
                    set.remove(&rule)
                };
                row[*column] = set.first().copied();
            }
        }
        if changes.peek().is_some_and(|next| next.0 == at) {
            continue;
        }
        let value = rows.number(&row);
        match pieces.last_mut() {
            Some(last) if last.0 == at => last.1 = value,
            Some(last) if last.1 == value => {}
            _ => pieces.push((at, value)),
        }
    }
    pieces
}
