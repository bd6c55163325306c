//! Events in the shapes that webhooks expect. Their limits are kept, and nothing in an event is taken for markup or for a mention.

use autodevops_sdk::{
    Result,
    types::{Event, Severity},
};
use serde_json::{Value, json};
use telling::{severity, template};

use crate::settings::{Settings, Shape};

/// Slack: longest header, section and address of a button, and buttons of one block.
/// <https://docs.slack.dev/reference/block-kit/blocks>
const SLACK: (usize, usize, usize, usize) = (150, 3000, 3000, 25);
/// Discord: longest title and description of an embed. <https://discord.com/developers/docs/resources/message#embed-object>
const DISCORD: (usize, usize) = (256, 4096);
/// Teams: a message has 28 KB in all; so much of the body leaves room.
const TEAMS: usize = 10_000;

/// The message's body.
pub fn body(settings: &Settings, event: &Event) -> Result<Value> {
    Ok(match settings.shape {
        Shape::Slack => slack(event),
        Shape::Discord => discord(event),
        Shape::Teams => teams(event),
        Shape::Json => plain(event),
        Shape::Template => return template("template", &settings.template, event, &[]),
    })
}

fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// Slack's three characters; what is escaped is no mention and no link.
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What Discord and Teams take for Markdown, with a backslash before it: no word of a log is a link beside those that answer.
/// <https://spec.commonmark.org/0.31.2/#backslash-escapes>
fn for_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut begins = true;
    for character in text.chars() {
        // A dash is markup where a line begins, and in names and numbers everywhere else.
        let is_markup = r"\[]()*_~`#<>|!".contains(character) || (begins && matches!(character, '-' | '+' | '='));
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(character);
        begins = character == '\n' || character == '\r' || (begins && character.is_whitespace());
    }
    escaped
}

/// As much of the text as is no longer than so many characters when it is escaped: it is cut before, so that no escape is halved.
fn fitting(text: &str, characters: usize, escape: fn(&str) -> String) -> String {
    let mut room = text.chars().count().min(characters);
    loop {
        let escaped = escape(&cut(text, room));
        let over = escaped.chars().count().saturating_sub(characters);
        if over == 0 || room == 0 {
            return escaped;
        }
        room = room.saturating_sub(over.div_ceil(4).max(1));
    }
}

fn slack(event: &Event) -> Value {
    let (header, section, address, buttons) = SLACK;
    let button = |(name, url): &(String, String)| {
        let mut button =
            json!({ "type": "button", "text": { "type": "plain_text", "text": cut(name, 75) }, "url": url });
        if let Some(style) = match name.as_str() {
            "approve" => Some("primary"),
            "reject" => Some("danger"),
            _ => None,
        } {
            button["style"] = style.into();
        }
        button
    };
    let links: Vec<Value> =
        event.links.iter().filter(|(_, url)| url.len() <= address).take(buttons).map(button).collect();
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": cut(&event.title, header) } }),
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": fitting(&event.body, section, for_slack) } }),
        json!({ "type": "context", "elements": [{ "type": "plain_text", "text": cut(&context(event), section) }] }),
    ];
    if !links.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": links }));
    }
    json!({ "text": fitting(&event.title, section, for_slack), "blocks": blocks })
}

fn context(event: &Event) -> String {
    format!("{}, run {}, in {}", severity(event), event.run, event.stage)
}

fn discord(event: &Event) -> Value {
    let (title, description) = DISCORD;
    let colour = match event.severity {
        Severity::Info => 0x2e_a0_43,
        Severity::Warning => 0xd2_99_22,
        Severity::Error => 0xda_36_33,
        Severity::Critical => 0x8b_00_00,
    };
    let links: String = event.links.iter().map(|(name, url)| format!("\n[{}]({url})", for_markdown(name))).collect();
    let room = description.saturating_sub(links.chars().count());
    json!({
        // Whatever a log said, nobody is called by it.
        "allowed_mentions": { "parse": [] },
        "embeds": [{
            "title": fitting(&event.title, title, for_markdown),
            "description": cut(&format!("{}{links}", fitting(&event.body, room, for_markdown)), description),
            "color": colour,
            "footer": { "text": context(event) },
        }],
    })
}

fn teams(event: &Event) -> Value {
    let colour = match event.severity {
        Severity::Info => "good",
        Severity::Warning => "warning",
        Severity::Error | Severity::Critical => "attention",
    };
    let block = |text: String| json!({ "type": "TextBlock", "text": text, "wrap": true });
    let mut title = block(fitting(&event.title, 500, for_markdown));
    title["weight"] = "bolder".into();
    title["color"] = colour.into();
    let open = |(name, url): &(String, String)| json!({ "type": "Action.OpenUrl", "title": name, "url": url });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [title, block(fitting(&event.body, TEAMS, for_markdown)), block(for_markdown(&context(event)))],
                "actions": event.links.iter().map(open).collect::<Vec<_>>(),
            },
        }],
    })
}

fn plain(event: &Event) -> Value {
    let links: Vec<Value> = event.links.iter().map(|(name, url)| json!({ "name": name, "url": url })).collect();
    json!({
        "run": event.run,
        "stage": event.stage,
        "severity": severity(event),
        "title": event.title,
        "body": event.body,
        "links": links,
        "at": event.at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use telling::testing::event;

    use crate::settings::tests::settings;

    fn shaped(shape: Shape, event: &Event) -> Value {
        body(&settings(shape), event).unwrap()
    }

    #[test]
    fn slack_gets_a_header_the_text_and_a_button_for_each_link() {
        let value = shaped(Shape::Slack, &event());
        assert_eq!(value["blocks"][0]["text"]["text"], "shop: approval asked: TypeError <b> & \"co\"");
        assert_eq!(value["text"], "shop: approval asked: TypeError &lt;b&gt; &amp; \"co\"");
        let buttons = value["blocks"][3]["elements"].as_array().unwrap();
        assert_eq!(buttons.len(), 3);
        assert_eq!(
            (&buttons[1]["url"], &buttons[1]["style"]),
            (&json!("https://ops.example.com/answer/a.b"), &json!("primary"))
        );
        assert_eq!(
            shaped(Shape::Slack, &Event { links: Vec::new(), ..event() })["blocks"].as_array().unwrap().len(),
            3
        );
    }

    #[test]
    fn discord_calls_nobody() {
        let value = shaped(Shape::Discord, &event());
        assert_eq!(value["allowed_mentions"], json!({ "parse": [] }));
        let description = value["embeds"][0]["description"].as_str().unwrap();
        assert!(
            description.ends_with(
                "[approve](https://ops.example.com/answer/a.b)\n[reject](https://ops.example.com/answer/c.d)"
            )
        );
    }

    #[test]
    fn teams_gets_a_card_with_an_action_for_each_link() {
        let content = &shaped(Shape::Teams, &event())["attachments"][0]["content"];
        assert_eq!((&content["type"], &content["actions"][2]["title"]), (&json!("AdaptiveCard"), &json!("reject")));
        assert_eq!(content["body"][0]["color"], "warning");
    }

    #[test]
    fn nothing_of_an_event_is_markdown() {
        let odd = Event {
            title: "shop: [approve](https://evil.example) # __proto__".into(),
            body: "TypeError: *x* `y` | ~z~ ![i](u) <@1> \\[a](b)\n - 1-2\n# h\n> q\n=".into(),
            links: vec![("a](https://evil.example)[b".into(), "https://ops.example.com/answer/a.b".into())],
            ..event()
        };
        let title = r"shop: \[approve\]\(https://evil.example\) \# \_\_proto\_\_";
        let first = r"TypeError: \*x\* \`y\` \| \~z\~ \!\[i\]\(u\) \<@1\> \\\[a\]\(b\)";
        let body = format!("{first}\n \\- 1-2\n\\# h\n\\> q\n\\=");
        let discord = &shaped(Shape::Discord, &odd)["embeds"][0];
        assert_eq!(discord["title"], title);
        let link = r"[a\]\(https://evil.example\)\[b](https://ops.example.com/answer/a.b)";
        assert_eq!(discord["description"], format!("{body}\n{link}"));
        let teams = &shaped(Shape::Teams, &odd)["attachments"][0]["content"]["body"];
        assert_eq!((&teams[0]["text"], &teams[1]["text"]), (&json!(title), &json!(body)));
    }

    #[test]
    fn no_cut_leaves_half_an_escape() {
        for long in ["[".repeat(6000), format!("x{}", "[".repeat(6000)), r"\".repeat(6000)] {
            let long = Event { title: long.clone(), body: long, links: Vec::new(), ..event() };
            let discord = &shaped(Shape::Discord, &long)["embeds"][0];
            for text in [&discord["title"], &discord["description"]] {
                let text = text.as_str().unwrap().strip_suffix('…').unwrap();
                let slashes = text.chars().rev().take_while(|&c| c == '\\').count();
                assert_eq!(slashes % 2, 0, "{}", &text[text.len() - 9..]);
            }
        }
    }

    #[test]
    fn the_longest_event_keeps_within_every_limit() {
        let long = Event { title: "<é".repeat(5000), body: "&<>x".repeat(5000), ..event() };
        let slack = shaped(Shape::Slack, &long);
        let length = |value: &Value| value.as_str().unwrap().chars().count();
        assert!(length(&slack["blocks"][0]["text"]["text"]) <= 150);
        let section = length(&slack["blocks"][1]["text"]["text"]);
        assert!(section <= 3000 && section > 2900, "{section}");
        let discord = shaped(Shape::Discord, &long);
        assert!(length(&discord["embeds"][0]["title"]) <= 256);
        let description = length(&discord["embeds"][0]["description"]);
        assert!(description <= 4096 && description > 4000, "{description}");
        assert!(discord["embeds"][0]["description"].as_str().unwrap().ends_with("answer/c.d)"));
        assert!(shaped(Shape::Teams, &long).to_string().len() < 28_000);
    }

    #[test]
    fn the_event_itself_is_a_shape() {
        let value = shaped(Shape::Json, &event());
        assert_eq!((&value["severity"], &value["links"][1]["name"]), (&json!("warning"), &json!("approve")));
    }
}
