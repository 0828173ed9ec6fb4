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

/// Some free ports, all different.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_port_is_named() {
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
        let mut ports = free::<8>().unwrap().to_vec();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 8);
    }
}
