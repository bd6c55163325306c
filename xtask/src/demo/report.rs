//! What a scene reports: a table for people, one JSON object for programs.

use anyhow::Result;
use serde::Serialize;

use super::Format;

/// One scene's figures.
#[derive(Clone, Debug, Serialize)]
pub struct Scene {
    /// Its name.
    pub name: &'static str,
    /// `healed` or `rolled-back`; `failed` or `waiting` when it did not end as it should.
    pub outcome: &'static str,
    /// How long it took, from the shop's opening to its end.
    pub seconds: f64,
    /// Requests that the clients made.
    pub requests: u64,
    /// Requests that failed by the application's own code.
    pub client_errors: u64,
    /// Requests that failed otherwise.
    pub deploy_errors: u64,
    /// From the first error of the bad release that a client saw to the last request that it was given; absent where nothing was
    /// rolled back.
    pub rollback_seconds: Option<f64>,
    /// What there is to say in words.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// What did not hold.
    #[serde(skip)]
    pub faults: Vec<String>,
}

impl Scene {
    /// A scene that could not be played to its end; why is told elsewhere.
    pub const fn failed(name: &'static str) -> Self {
        Self {
            name,
            outcome: "failed",
            seconds: 0.0,
            requests: 0,
            client_errors: 0,
            deploy_errors: 0,
            rollback_seconds: None,
            notes: Vec::new(),
            faults: Vec::new(),
        }
    }
}

/// Prints the summary.
pub fn print(format: Format, scenes: &[Scene]) -> Result<()> {
    match format {
        Format::Text => println!("\n{}", table(scenes)),
        Format::Json => {
            eprintln!("\n{}", table(scenes));
            println!("{}", json(scenes)?);
        }
    }
    Ok(())
}

fn json(scenes: &[Scene]) -> Result<String> {
    let rounded: Vec<Scene> = scenes
        .iter()
        .map(|scene| Scene {
            seconds: round(scene.seconds),
            rollback_seconds: scene.rollback_seconds.map(round),
            ..scene.clone()
        })
        .collect();
    Ok(serde_json::to_string(&serde_json::json!({ "scenes": rounded }))?)
}

/// To milliseconds.
fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn table(scenes: &[Scene]) -> String {
    let mut text = format!(
        "{:<10} {:<12} {:>8} {:>9} {:>14} {:>14} {:>10}\n",
        "scene", "outcome", "seconds", "requests", "client errors", "deploy errors", "rollback"
    );
    for scene in scenes {
        let rollback = scene.rollback_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s"));
        text.push_str(&format!(
            "{:<10} {:<12} {:>8.1} {:>9} {:>14} {:>14} {:>10}\n",
            scene.name,
            scene.outcome,
            scene.seconds,
            scene.requests,
            scene.client_errors,
            scene.deploy_errors,
            rollback
        ));
    }
    for scene in scenes {
        for note in &scene.notes {
            text.push_str(&format!("\n{}: {note}", scene.name));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_object_has_the_scenes_and_nothing_else() {
        let scenes = [
            Scene { outcome: "healed", seconds: 20.000_4, requests: 9, client_errors: 2, ..Scene::failed("heal") },
            Scene {
                outcome: "rolled-back",
                rollback_seconds: Some(1.25),
                notes: vec!["x".into()],
                ..Scene::failed("b")
            },
        ];
        let expected = concat!(
            r#"{"scenes":[{"name":"heal","outcome":"healed","seconds":20.0,"requests":9,"client_errors":2,"#,
            r#""deploy_errors":0,"rollback_seconds":null},{"name":"b","outcome":"rolled-back","seconds":0.0,"requests":0,"#,
            r#""client_errors":0,"deploy_errors":0,"rollback_seconds":1.25}]}"#
        );
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&json(&scenes).unwrap()), value(expected));
    }

    #[test]
    fn the_table_has_a_line_for_each_scene_and_its_notes_below() {
        let scene = Scene { notes: vec!["seen for 1.2 s".into()], rollback_seconds: Some(1.23), ..Scene::failed("b") };
        let text = table(&[Scene::failed("a"), scene]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[1].ends_with('-') && lines[2].ends_with("1.2 s"), "{text}");
        assert_eq!(lines[4], "b: seen for 1.2 s");
    }
}
