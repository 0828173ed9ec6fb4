//! TCP ports of this machine: which are free, and who holds one that is not.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

/// The error names the process that is in the way.
pub fn ensure_free(port: u16) -> Result<()> {
    let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
        return Ok(());
    };
    let other = "choose another with `--port <number>`";
    match listeners::get_process_by_port(port, listeners::Protocol::TCP) {
        Ok(holder) => bail!(
            "port {port} is in use by {} (process {}): end that, or {other}",
            holder.name,
            holder.pid
        ),
        Err(_) => Err(error).with_context(|| format!("port {port} cannot be used: {other}")),
    }
}

/// Some free ports, all different, counted up from a thousand above `port`. Not those that the
/// system would choose: between the choice and its use, it hands them out to outgoing connections.
pub fn free<const N: usize>(port: u16) -> Result<[u16; N]> {
    let first = port.checked_add(1000).unwrap_or(1024);
    let free = (first..=u16::MAX)
        .chain(1024..first)
        .filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    let ports: Vec<u16> = free.take(N).collect();
    ports.try_into().ok().context("no port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_port_is_named() {
        // A process that starts has the port as well, for a moment.
        let _alone = crate::process::STARTING.lock().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = ensure_free(port).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        assert!(error.contains("--port"), "{error}");
        drop(listener);
        ensure_free(port).unwrap();
    }

    #[test]
    fn free_ports_are_all_different() {
        for port in [8787, u16::MAX] {
            let mut ports = free::<8>(port).unwrap().to_vec();
            ports.sort_unstable();
            ports.dedup();
            assert_eq!(ports.len(), 8);
        }
    }
}
