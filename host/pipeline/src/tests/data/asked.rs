//! Who is needed for the question what becomes of the data.

use super::*;

#[test]
fn where_people_are_needed_for_nothing_else_they_are_for_the_question_about_the_data() {
    let scene = until_asked(taken_back(kept(true, Restore::Ask)));
    let (gate, alarm) = (scene.run.gate().unwrap(), scene.run.alarm().unwrap());
    assert_eq!((alarm.number, &alarm.reason), (gate.number, &gate.reason));
    assert_eq!(scene.run.alarm_beside(), None);
}
