//! What the shop's customers ask for, and in which proportion.

use http::Method;
use serde_json::{Value, json};

use crate::random::Random;

/// One request of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What kind of request it is, for the report.
    pub name: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its JSON body, where it has one.
    pub body: Option<String>,
    /// The status class that a shop without faults answers with: 2 or 4.
    pub expected_class: u16,
}

const PRODUCTS: [&str; 12] = [
    "sidamo-250",
    "sidamo-1000",
    "huila-250",
    "huila-1000",
    "mantiqueira-250",
    "swiss-water-250",
    "dripper-02",
    "filters-100",
    "kettle-gooseneck",
    "grinder-hand",
    "mug-stone",
    "espresso-pair",
];

const NAMES: [&str; 8] = ["Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Linus", "Margaret"];

const ADDRESSES: [(&str, &str, &str); 7] = [
    ("Ringstraße 7", "Köln", "de"),
    ("Lange Gasse 12", "Wien", "at"),
    ("Rue des Lilas 3", "Lyon", "fr"),
    ("Keizersgracht 101", "Amsterdam", "nl"),
    ("Via Roma 8", "Torino", "it"),
    ("Meir 44", "Antwerpen", "be"),
    ("Storgatan 5", "Malmö", "se"),
];

const COUPONS: [&str; 3] = ["SUMMER10", "office15", "WELCOME"];

/// Of a hundred orders and quotes, so many are picked up at the shop.
const PICKUP_PERCENT: u64 = 20;

/// The next request of some customer.
pub fn next(random: &mut Random) -> Ask {
    match random.below(100) {
        0..8 => get("page", "/".into()),
        8..12 => get("style", "/style.css".into()),
        12..15 => get("script", "/shop.js".into()),
        15..40 => catalogue(random),
        40..75 => post("quote", "/quote", &order(random), 2),
        75..99 => post("order", "/order", &order(random), 2),
        _ => post("wrong-order", "/order", &json!({ "items": [], "customer": { "name": "?" } }), 4),
    }
}

fn catalogue(random: &mut Random) -> Ask {
    let query = random.one_of(&["", "?category=beans", "?category=brewing", "?category=cups", "?search=dark%20roast"]);
    get("catalogue", format!("/catalogue{}", query.copied().unwrap_or_default()))
}

fn order(random: &mut Random) -> Value {
    let items: Vec<Value> = (0..=random.below(4))
        .map(|_| json!({ "id": random.one_of(&PRODUCTS), "quantity": 1 + random.below(3) }))
        .collect();
    let mut order = json!({ "items": items, "customer": { "name": random.one_of(&NAMES) }, "delivery": "post" });
    if random.happens(PICKUP_PERCENT) {
        set(&mut order, "delivery", "pickup".into());
    } else if let Some((street, city, country)) = random.one_of(&ADDRESSES) {
        let address = json!({ "street": street, "city": city, "country": country });
        if let Some(customer) = order.get_mut("customer") {
            set(customer, "address", address);
        }
    }
    if random.happens(15) {
        let coupon = random.one_of(&COUPONS).copied().unwrap_or_default();
        set(&mut order, "coupon", coupon.into());
    }
    order
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.into(), value);
    }
}

const fn get(name: &'static str, path: String) -> Ask {
    Ask { name, method: Method::GET, path, body: None, expected_class: 2 }
}

fn post(name: &'static str, path: &str, body: &Value, expected_class: u16) -> Ask {
    Ask { name, method: Method::POST, path: path.into(), body: Some(body.to_string()), expected_class }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_kind_of_request_comes_up_and_the_same_seed_repeats_them() {
        let traffic = |seed| {
            let mut random = Random::new(seed);
            (0..2000).map(|_| next(&mut random)).collect::<Vec<_>>()
        };
        let asks = traffic(1);
        assert_eq!(asks, traffic(1));
        let mut counts = BTreeMap::new();
        for ask in &asks {
            *counts.entry(ask.name).or_insert(0) += 1;
        }
        assert_eq!(
            counts.keys().copied().collect::<Vec<_>>(),
            ["catalogue", "order", "page", "quote", "script", "style", "wrong-order"]
        );
        assert!(counts["quote"] > counts["catalogue"] && counts["catalogue"] > counts["page"], "{counts:?}");
    }

    #[test]
    fn orders_that_are_picked_up_have_no_address_and_all_others_have_one() {
        let mut random = Random::new(2);
        let mut pickups = 0;
        for _ in 0..1000 {
            let order = order(&mut random);
            let pickup = order["delivery"] == "pickup";
            pickups += usize::from(pickup);
            assert_eq!(order["customer"].get("address").is_none(), pickup, "{order}");
            assert!(!order["items"].as_array().unwrap().is_empty());
        }
        assert!((140..=260).contains(&pickups), "{pickups} of 1000");
    }
}
