//! Plugging one component's exports into another's imports.

use anyhow::{Context, Result};
use wac_graph::{CompositionGraph, EncodeOptions, plug, types::Package};

/// The socket with the plug's exports in place of its imports; imports of both that stay open are the result's.
pub fn compose(socket: &[u8], engine: &[u8]) -> Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let package = |name: &str, bytes: &[u8], graph: &mut CompositionGraph| -> Result<_> {
        let package = Package::from_bytes(name, None, bytes.to_vec(), graph.types_mut())
            .with_context(|| format!("the {name} is not a component that can be composed"))?;
        Ok(graph.register_package(package)?)
    };
    let socket = package("autodevops:socket", socket, &mut graph)?;
    let engine = package("autodevops:engine", engine, &mut graph)?;
    plug(&mut graph, vec![engine], socket).context("the component does not import what the engine exports")?;
    graph.encode(EncodeOptions::default()).context("the composition cannot be encoded")
}
