//! What is kept is kept to the byte, under its own key, in its own place, until it expires.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{self, Instant};

use super::bench::{Bench, Handle, Seen, Verdict, brief, broken, ensure, expect, shows_id};
use super::data::ConformanceData;
use super::sessions::{HOUR, LONG, fresh_id, id};
use crate::SessionId;
use crate::id::is_cookie_octet;
use crate::store::{Created, Limits, Loaded, NewSession, Origin, Replaced, Rotated, StoreError, Version};

/// Texts that something between here and the disk may take for something else.
const SPECIAL: &[&str] = &[
    "",
    "\0",
    "a\0b",
    "  both ends  ",
    "\t\r\n\r",
    "'\"`\\",
    "'; DROP TABLE sessions; --",
    "100 % %s %n %00 %25 _",
    "$1 ? :name @name {} {{}}",
    "null",
    "{\"a\": [1, 2.50, \"\\u0000\"]}",
    "<&amp;>",
    "0",
    "é ß 日本語 \u{FEFF}\u{2028}\u{7F}\u{80}",
    "e\u{301} \u{E9}",
    "😀 👨‍👩‍👧 \u{10FFFF}",
];

pub(super) async fn special_data_is_kept<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for text in SPECIAL {
        through_every_step(&bench, text).await?;
    }
    let every_byte: Vec<u8> = (0..=u8::MAX).chain([0xFF, 0xFE, 0xC0, 0x80, 0]).collect();
    for bytes in [&every_byte[..], &every_byte[128..], &[0xED, 0xA0, 0x80], &[0; 3]] {
        let Some(data) = T::of_bytes(bytes) else { return Ok(()) };
        bytes_are_kept(&bench, bytes, data).await?;
    }
    Ok(())
}

pub(super) async fn a_mebibyte_of_data_is_kept<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let text: String = (0..)
        .map(|number: u32| char::from_u32(0x20 + number.wrapping_mul(0x9E37) % 0x500).unwrap_or('?'))
        .take(1 << 19)
        .collect();
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at < 1 << 20).last().unwrap_or_default();
    through_every_step(&bench, &text[..end]).await?;
    through_every_step(&bench, &"x".repeat(1 << 20)).await
}

async fn through_every_step<T: ConformanceData>(bench: &Bench<T>, text: &str) -> Verdict {
    let (first, _) = bench.store.new_session(text, LONG).await?;
    is_kept(&bench.twin, "create", &first, text).await?;
    let (second, version) = bench.store.new_session("before", LONG).await?;
    bench.store.replaced(&second, version, text).await?;
    is_kept(&bench.twin, "replace", &second, text).await?;
    bench.store.set(&second, "before").await?;
    let (third, record) = (fresh_id(), bench.store.found("after replace", &second).await?);
    bench.store.rotated(&second, &third, record.with_text(text)).await?;
    is_kept(&bench.twin, "rotate", &third, text).await
}

async fn is_kept<T: ConformanceData>(handle: &Handle<T>, when: &str, id: &SessionId, text: &str) -> Verdict {
    let record = handle.found(format!("after {when} with {}", brief(text)), id).await?;
    ensure(*record.data == T::of_text(text), || {
        format!("after {when} with {}, load gave {}; data is kept to the byte", brief(text), brief(&record.data.text()))
    })
}

async fn bytes_are_kept<T: ConformanceData>(bench: &Bench<T>, bytes: &[u8], data: T) -> Verdict {
    let id = fresh_id();
    bench.store.create_with(&id, NewSession::new(Arc::new(data), LONG, Origin::Change)).await?;
    for step in ["create", "replace"] {
        let record = bench.twin.found(format!("after {step}"), &id).await?;
        ensure(T::of_bytes(bytes).is_some_and(|wanted| *record.data == wanted), || {
            format!("after {step} with bytes that are no UTF-8, load gave others; data is kept to the byte")
        })?;
        if let Some(data) = T::of_bytes(bytes) {
            let answer = bench.store.replace_with(&id, record.version, data).await?;
            ensure(matches!(answer, Replaced::Replaced(_)), || {
                format!("replace of a session that is there answered {answer:?}")
            })?;
        }
    }
    Ok(())
}

pub(super) async fn ids_are_told_apart<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let octets: Vec<char> = (0..=u8::MAX).filter(|byte| is_cookie_octet(*byte)).map(char::from).collect();
    let mut ids: Vec<String> = octets.iter().map(char::to_string).collect();
    ids.push(octets.iter().collect());
    // Alike but for case, for their length, for their last or their first character.
    ids.extend(["session", "Session", "SESSION", "sessioN"].map(String::from));
    ids.extend([2, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 254, 255, 256].map(|length| "a".repeat(length)));
    ids.extend(["b", "B", "%", "*"].map(|end| format!("{}{end}", "a".repeat(255))));
    ids.extend(["b", "B"].map(|start| format!("{start}{}", "a".repeat(255))));
    ids.extend(["a*", "[a]", "a_", "a%", "%61", "../a", "a/b", "a:b", "a|b", "'a'", "a'--"].map(String::from));

    for text in &ids {
        bench.store.delete(&id(text)).await?;
    }
    for text in &ids {
        let answer = bench.store.create(&id(text), text, LONG).await?;
        ensure(matches!(answer, Created::Created(_)), || {
            format!("create under {} answered {answer:?}; no such id was used, but some like it", brief(text))
        })?;
    }
    for text in &ids {
        bench
            .twin
            .expect_seen(format!("after create of many sessions, one under {}", brief(text)), &id(text), Seen::found(text))
            .await?;
    }
    for (number, text) in ids.iter().enumerate() {
        expect(format!("delete under {}", brief(text)), bench.store.delete(&id(text)).await?, true)?;
        if let Some(next) = ids.get(number + 1) {
            let when = format!("after delete under {}, under {}", brief(text), brief(next));
            bench.store.expect_seen(when, &id(next), Seen::found(next)).await?;
        }
    }
    Ok(())
}

pub(super) async fn places_are_apart<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (here, there) = (&bench.store, &bench.apart);
    let (id, version) = here.new_session("here", LONG).await?;
    there.expect_seen("in another place, at the key of a session,", &id, Seen::Missing).await?;
    expect("touch in another place", there.touch(&id).await?, false)?;
    expect("delete in another place", there.delete(&id).await?, false)?;
    expect("replace in another place", there.replace(&id, version, "there").await?, Replaced::Missing)?;
    there.created(&id, "there", LONG).await?;
    here.expect_seen("after create in another place", &id, Seen::found("here")).await?;
    expect("delete in another place", there.delete(&id).await?, true)?;
    here.expect_seen("after delete in another place", &id, Seen::found("here")).await?;
    let (new, record) = (fresh_id(), here.found("before rotate", &id).await?);
    here.rotated(&id, &new, record).await?;
    for key in [&id, &new] {
        there.expect_seen("after rotate in another place", key, Seen::Missing).await?;
    }
    Ok(())
}

pub(super) async fn namespaces_are_apart<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (here, there) = (&bench.store, &bench.other_namespace);
    let (id, version) = here.new_session("here", LONG).await?;
    there.expect_seen("in another namespace, under the id of a session,", &id, Seen::Missing).await?;
    expect("touch in another namespace", there.touch(&id).await?, false)?;
    expect("delete in another namespace", there.delete(&id).await?, false)?;
    expect("replace in another namespace", there.replace(&id, version, "there").await?, Replaced::Missing)?;
    let record = here.found("before rotate", &id).await?;
    expect("rotate in another namespace", there.rotate(&id, &fresh_id(), record).await?, Rotated::Missing)?;
    here.expect_seen("after every operation in another namespace", &id, Seen::found("here")).await?;
    there.created(&id, "there", LONG).await?;
    here.expect_seen("after create in another namespace", &id, Seen::found("here")).await?;
    there.expect_seen("after create in both namespaces", &id, Seen::found("there")).await?;
    expect("delete in another namespace", there.delete(&id).await?, true)?;
    here.expect_seen("after delete in another namespace", &id, Seen::found("here")).await?;
    let (new, record) = (fresh_id(), here.found("before rotate", &id).await?);
    here.rotated(&id, &new, record).await?;
    for key in [&id, &new] {
        there.expect_seen("after rotate in another namespace", key, Seen::Missing).await?;
    }
    Ok(())
}

pub(super) async fn what_cannot_be_read_is_an_answer<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let Some(id) = bench.undecodable else { return Ok(()) };
    for handle in bench.handles() {
        match handle.load(&id).await? {
            Loaded::Undecodable(error @ StoreError::Data(_)) => {
                ensure(!shows_id(&error, &[&id]), || "the reason in Undecodable shows the raw id; no error may".into())?;
            }
            Loaded::Undecodable(other) => {
                return Err(broken(format_args!("load gave {other:?} as the reason in Undecodable; it is a StoreError::Data")));
            }
            _ => {
                let seen = handle.see(&id).await?;
                return Err(broken(format_args!("load of data that cannot be read answered {seen:?}; it is Undecodable")));
            }
        }
        expect("touch of a session whose data cannot be read", handle.touch(&id).await?, true)?;
        let answer = handle.create(&id, "new", LONG).await?;
        expect("create at the key of data that cannot be read", answer, Created::Exists)?;
        let answer = handle.replace(&id, Version(u64::MAX), "new").await?;
        expect("replace at another version, of data that cannot be read,", answer, Replaced::Conflict)?;
        handle.expect_seen("after that", &id, Seen::Undecodable).await?;
    }
    expect("delete of a session whose data cannot be read", bench.store.delete(&id).await?, true)?;
    bench.twin.expect_seen("after delete of a session whose data cannot be read", &id, Seen::Missing).await
}

pub(super) async fn a_sweep_removes_only_what_expired<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    const EXPIRING: u64 = 12;
    let unit = bench.unit;
    let mut living = Vec::new();
    let (shortest, day) = ((HOUR / 60).max(unit * 20), 24 * HOUR);
    let lives =
        [Limits::new(shortest, None), LONG, Limits::new(14 * HOUR, Some(day)), Limits::new(Duration::MAX, Some(Duration::MAX))];
    for limits in lives {
        living.push((bench.store.new_session("living", limits).await?.0, "living", format!("with {limits:?}")));
    }
    living.push((a_rotation(&bench).await?.1, "moved", "that was rotated".into()));

    let mut expiring = Vec::new();
    for number in 0..EXPIRING {
        let limits = if number % 2 == 0 { Limits::new(unit / 4, None) } else { Limits::new(HOUR, Some(unit / 4)) };
        expiring.push(bench.store.new_session("expiring", limits).await?.0);
    }
    let expired = Instant::now() + unit / 4;
    let created = Instant::now();
    let (used, _) = bench.store.new_session("used", Limits::new(unit, None)).await?;
    time::sleep_until(created + unit.mul_f64(0.6)).await;
    bench.store.found("before its limit", &used).await?;
    bench.twin.touched(&used).await?;
    // The limit that it was created with is over, and so is the room that a store leaves what expired.
    time::sleep_until((created + unit.mul_f64(1.2)).max(expired + unit / 8)).await;

    let swept = bench.store.sweep().await? + bench.twin.sweep().await?;
    let no_more = ensure(swept <= EXPIRING, || format!("sweep answered that {swept} sessions went, when {EXPIRING} had expired"));
    let others = living.iter().map(|(id, ..)| id).chain([&used]);
    others.fold(no_more, |no_more, id| bench.store.while_there(id, no_more))?;
    bench.store.found("after sweep, a session that was renewed by touch,", &used).await?;
    for (id, text, which) in living {
        bench.store.expect_seen(format!("after sweep, of a session {which},"), &id, Seen::found(text)).await?;
    }
    for id in expiring {
        bench.store.expect_seen("after sweep, of an expired session,", &id, Seen::Missing).await?;
    }
    let (moved, _) = a_rotation(&bench).await?;
    bench.twin.sweep().await?;
    bench.store.expect_seen("after sweep, of the mark of a rotation,", &moved, Seen::JustRotated).await
}

/// The key with the mark, and the key with the session, of a rotation.
async fn a_rotation<T: ConformanceData>(bench: &Bench<T>) -> Verdict<(SessionId, SessionId)> {
    let ((old, _), new) = (bench.store.new_session("moved", LONG).await?, fresh_id());
    let record = bench.store.found("after create", &old).await?;
    bench.store.rotated(&old, &new, record).await?;
    Ok((old, new))
}
