//! What people at a clinic write and say: notes of 0.4 to 2 KB, messages, transcripts of 5 to 40 KB, forms as JSON.
//!
//! Plain invention from word lists. Unicode, quotes and line breaks occur, as they do in real records.

use super::dice::Dice;
use serde_json::{Value, json};

const FIRST: &[&str] = &[
    "Amara", "Ben", "Chloé", "Daniel", "Esther", "Farid", "Grace", "Hiroshi", "Inés", "Jamal", "Keisha", "Luís", "Mei",
    "Nadia", "Owen", "Priya", "Quinn", "Rosa", "Søren", "Tomás", "Uma", "Viktor", "Wren", "Ximena", "Yusuf", "Zoë",
];
const LAST: &[&str] = &[
    "Abara",
    "Björk",
    "Castillo",
    "Dubois",
    "Eze",
    "Fontaine",
    "García",
    "Haddad",
    "Ito",
    "Jensen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nguyen",
    "O'Brien",
    "Park",
    "Quispe",
    "Reyes",
    "Sato",
    "Thompson",
    "Ueda",
    "Vance",
    "Williams",
    "Yilmaz",
    "Zhang",
];
const CONDITIONS: &[&str] = &[
    "type 2 diabetes",
    "hypertension",
    "asthma",
    "generalised anxiety",
    "major depression",
    "chronic back pain",
    "migraine",
    "hypothyroidism",
    "opioid use disorder, in remission",
    "PTSD",
    "COPD",
    "hepatitis C, treated",
    "HIV, undetectable",
    "epilepsy",
    "insomnia",
];
const MEDICINES: &[&str] = &[
    "metformin 500 mg",
    "lisinopril 10 mg",
    "sertraline 50 mg",
    "buprenorphine 8 mg",
    "albuterol as needed",
    "levothyroxine 75 µg",
    "gabapentin 300 mg",
    "trazodone 50 mg at night",
    "bictegravir daily",
    "prazosin 2 mg",
];
const SAID: &[&str] = &[
    "reports sleeping about five hours a night and waking early",
    "says the new dose \"finally takes the edge off\"",
    "missed two appointments because the bus line was cut",
    "is worried about losing housing at the end of the month",
    "has been walking thirty minutes most days",
    "denies any thoughts of self-harm",
    "has not filled the last prescription: the pharmacy asked for prior authorisation",
    "describes the pain as 4/10, down from 7/10",
    "asked for an interpreter for the next visit",
    "started a part-time job and feels hopeful about it",
    "is caring for an ill parent and feels stretched thin",
    "has had no cravings since the last visit",
];
const SEEN: &[&str] = &[
    "Blood pressure 138/86, pulse 74, temperature 36.8 °C",
    "Alert, oriented, appropriately dressed; affect brighter than last time",
    "PHQ-9 score 11 (was 16), GAD-7 score 9",
    "A1c 7.4 %, down from 8.1 %",
    "Lungs clear, no wheeze; peak flow 420 l/min",
    "Weight 81.2 kg, stable over three months",
    "Gait steady, mild tenderness at L4–L5",
    "Urine screen as expected for prescribed medication",
];
const NEXT: &[&str] = &[
    "Continue the present plan and see again in four weeks",
    "Refer to the housing navigator; warm hand-over done by phone",
    "Repeat labs before the next visit",
    "Sent the prior authorisation form to the insurer today",
    "Safety plan reviewed and a copy given to the client",
    "Raise the dose after two weeks if it is well tolerated",
    "Call on Thursday to check on side effects",
    "Schedule a visit with the dietitian",
    "Release of information signed for the school counsellor",
];
const ASKS: &[&str] = &[
    "How have you been since we last spoke?",
    "Have you been able to take the medication every day?",
    "Is there anything at home that worries you right now?",
    "Would you like me to send the form by post or by e-mail?",
    "On a scale from zero to ten, where is the pain today?",
    "Who can you call if it gets worse at night?",
    "Do you still have the same insurance card?",
    "Let me read that back to you, to be sure I have it right.",
];
const ANSWERS: &[&str] = &[
    "Honestly, better than I thought I would be. The mornings are still hard.",
    "Most days, yes. I forgot twice, maybe three times.",
    "My sister is staying with us, so it's been… crowded, but good.",
    "By post, please — my phone's been cut off again.",
    "I'd say a four. It was a seven before the exercises.",
    "I have the number you gave me on the fridge.",
    "They sent a new card last week, I can read you the number.",
    "No, that's right. That's exactly it.",
    "Could you say that again, a bit slower?",
];

/// Appends a person's name.
pub fn name(dice: &mut Dice, out: &mut String) {
    out.push_str(dice.pick(FIRST));
    out.push(' ');
    out.push_str(dice.pick(LAST));
}

/// A progress note of `low..=high` bytes, more or less a sentence.
pub fn note(dice: &mut Dice, out: &mut String) {
    out.clear();
    let length = dice.between(400, 1_900) as usize;
    out.push_str("Progress note for ");
    name(dice, out);
    out.push_str(".\n");
    let mut section = 0;
    while out.len() < length {
        let (label, lines) = [("S", SAID), ("O", SEEN), ("A", CONDITIONS), ("P", NEXT)][section % 4];
        out.push_str(label);
        out.push_str(": ");
        for n in 0..dice.between(1, 3) {
            if n > 0 {
                out.push_str("; ");
            }
            if label == "S" {
                out.push_str("client ");
            }
            out.push_str(dice.pick(lines));
        }
        out.push_str(".\n");
        section += 1;
    }
}

/// A short message between a client and staff.
pub fn message(dice: &mut Dice, out: &mut String) {
    out.clear();
    out.push_str(dice.pick(&["Hi ", "Hello ", "Dear ", "Good morning "]));
    out.push_str(dice.pick(FIRST));
    out.push_str(", ");
    for _ in 0..dice.between(1, 5) {
        out.push_str(if dice.chance(50) { dice.pick(ASKS) } else { dice.pick(ANSWERS) });
        out.push(' ');
    }
    if dice.chance(15) {
        out.push('🙏');
    }
}

/// A call as it was heard, 5 to 40 KB; short calls are more frequent than long ones.
pub fn transcript(dice: &mut Dice, out: &mut String) {
    out.clear();
    let length = (5_000 + dice.below(35_000).min(dice.below(35_000))) as usize;
    while out.len() < length {
        out.push_str("Case manager: ");
        out.push_str(dice.pick(ASKS));
        out.push_str("\nClient: ");
        out.push_str(dice.pick(ANSWERS));
        out.push(' ');
        out.push_str(dice.pick(ANSWERS));
        out.push('\n');
    }
}

/// The same call as turns with times, 2 to 8 KB.
pub fn turns(dice: &mut Dice) -> Value {
    let mut at = 0.0;
    let turns = (0..dice.between(20, 70)).map(|n| {
        at += dice.between(8, 140) as f64 / 10.0;
        let (speaker, text) =
            if n % 2 == 0 { ("case_manager", dice.pick(ASKS)) } else { ("client", dice.pick(ANSWERS)) };
        json!({ "speaker": speaker, "start": at, "text": text })
    });
    Value::Array(turns.collect())
}

/// What was made of a call: fields, a summary, confidences.
pub fn findings(dice: &mut Dice) -> [Value; 3] {
    let mut who = String::new();
    name(dice, &mut who);
    let fields = json!({
        "clientName": who,
        "housingStatus": dice.pick(&["stable", "at risk", "shelter", "with family"]),
        "conditions": [dice.pick(CONDITIONS), dice.pick(CONDITIONS)],
        "medications": [dice.pick(MEDICINES)],
        "followUpInDays": dice.between(3, 60),
        "interpreterNeeded": dice.chance(10),
    });
    let summary = json!({
        "overview": format!("Client {}. {}.", dice.pick(SAID), dice.pick(SEEN)),
        "actionItems": [dice.pick(NEXT), dice.pick(NEXT)],
        "sentiment": dice.pick(&["hopeful", "neutral", "distressed"]),
    });
    let confidences = json!({ "clientName": 0.99, "housingStatus": dice.between(50, 99) as f64 / 100.0, "conditions": dice.between(50, 99) as f64 / 100.0 });
    [fields, summary, confidences]
}

/// A submitted form.
pub fn form(dice: &mut Dice) -> Value {
    let mut who = String::new();
    name(dice, &mut who);
    let mut story = String::new();
    note(dice, &mut story);
    json!({
        "fullName": who,
        "dateOfBirth": format!("{}-{:02}-{:02}", dice.between(1940, 2012), dice.between(1, 12), dice.between(1, 28)),
        "phone": format!("+1-555-{:04}", dice.below(10_000)),
        "household": dice.between(1, 7),
        "monthlyIncome": dice.between(0, 4_800),
        "allergies": if dice.chance(60) { Value::Null } else { json!(["penicillin", "latex"]) },
        "presentingConcern": story,
        "consent": { "treatment": true, "releaseOfInformation": dice.chance(70) },
    })
}

/// What a model read out of a form.
pub fn extraction(dice: &mut Dice) -> Value {
    json!({ "riskLevel": dice.pick(&["low", "moderate", "high"]), "conditions": [dice.pick(CONDITIONS)], "suggestedProgram": dice.pick(NEXT) })
}

/// A client's conditions: a JSON array, at times a bare string or an empty object, as old rows are.
pub fn conditions(dice: &mut Dice) -> Value {
    match dice.below(20) {
        0 => json!(dice.pick(CONDITIONS)),
        1 => json!({}),
        _ => (0..dice.between(1, 4)).map(|_| json!({ "name": dice.pick(CONDITIONS), "since": dice.between(1990, 2025), "medication": dice.pick(MEDICINES) })).collect(),
    }
}

/// Nine digits in the shape of a social security number; area numbers from 900 on are never given to anyone.
pub fn ssn(dice: &mut Dice) -> String {
    format!("9{:02}-{:02}-{:04}", dice.below(100), dice.between(1, 99), dice.between(1, 9_999))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_a_clinics() {
        let (mut text, mut shortest, mut longest) = (String::new(), usize::MAX, 0);
        for i in 0..2_000 {
            note(&mut Dice::of(1, "Note", i), &mut text);
            (shortest, longest) = (shortest.min(text.len()), longest.max(text.len()));
        }
        assert!(shortest >= 400 && longest <= 2_400, "notes {shortest}..{longest}");
        (shortest, longest) = (usize::MAX, 0);
        for i in 0..500 {
            transcript(&mut Dice::of(1, "Call", i), &mut text);
            (shortest, longest) = (shortest.min(text.len()), longest.max(text.len()));
        }
        assert!(shortest >= 5_000 && longest <= 40_400 && longest > 25_000, "transcripts {shortest}..{longest}");
    }
}
