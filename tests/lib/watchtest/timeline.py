# SPDX-License-Identifier: Apache-2.0
"""The one history, and what every selection must see of it.

A timeline is built from the stream of a watcher that follows everything from the first version, and is
then held against the journal: (1) its versions are gapless, so none was used twice; (2) every
acknowledged write stands at its version with its content; (3) every other change is a `maybe`, at its
place between its neighbours, at most once; (4) types, uid, generation and previous objects fit. From a
timeline that passed, expected() says what a watch of a selection must get, event by event."""
import json

from .api import pb

__all__ = ["Sel", "Change", "Timeline", "Mismatch", "key_of", "ADDED", "MODIFIED", "DELETED",
           "with_version", "MARK"]

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"
CREATED_, UPDATED_, DELETED_, ENTERED_, LEFT_ = 1, 2, 3, 5, 6

# A key of this resource is the test's own mark in the stream, in no journal.
MARK = "marks"


class Mismatch(AssertionError):
    """What was seen is not what must have happened."""


def key_of(obj):
    return (obj.resource, obj.namespace, obj.name)


def with_version(doc, rv):
    """The document as it reads at another version."""
    doc = json.loads(doc)
    doc["metadata"]["resourceVersion"] = str(rv)
    return doc


class Sel:
    """A selection and, in Python, what it means."""

    def __init__(self, resource="all", namespace=None, name="", labels="", match=None):
        self.resource, self.namespace, self.name = resource, namespace, name
        self.labels, self._match = labels, match

    def message(self):
        return pb.Selection(resource=self.resource, namespace=self.namespace or "",
                            all_namespaces=self.namespace is None, name=self.name,
                            label_selector=self.labels)

    def words(self):
        """As watchctl takes it."""
        words = [self.resource + ("/" + self.name if self.name else "")]
        words += ["-A"] if self.namespace is None else ["-n", self.namespace]
        return words + (["-l", self.labels] if self.labels else [])

    def matches(self, key, labels):
        return (self.resource in ("all", key[0]) and self.namespace in (None, key[1]) and
                self.name in ("", key[2]) and (self._match is None or self._match(labels)))

    def __repr__(self):
        return " ".join(self.words())


class State:
    """An object at a version."""
    __slots__ = ("rv", "json", "labels", "uid", "generation", "created", "spec",
                 "rest")

    def __init__(self, rv, text):
        doc = json.loads(text)
        meta = doc["metadata"]
        self.rv, self.json = rv, text
        self.labels = meta.get("labels") or {}
        self.uid, self.generation = meta["uid"], meta["generation"]
        self.created = meta["creationTimestamp"]
        self.spec = doc.get("spec")
        # A generation counts the changes of what stands outside metadata and status.
        self.rest = {k: v for k, v in doc.items() if k not in ("metadata", "status")}
        if meta["resourceVersion"] != str(rv):
            raise Mismatch(f"a document says version {meta['resourceVersion']} at {rv}: {text}")


class Change:
    """before and after are States or None."""
    __slots__ = ("rv", "key", "before", "after")

    def __init__(self, rv, key, before, after):
        self.rv, self.key, self.before, self.after = rv, key, before, after


class Timeline:
    def __init__(self, base=0):
        self.base = base        # the version before the first change
        self.changes = []
        self.at = {}            # version -> Change

    @classmethod
    def from_events(cls, events, base=0):
        """events: (type, rv, key, json, cause, previous) of a watch of everything from `base`."""
        line = cls(base)
        now = {}
        for kind, rv, key, text, cause, previous in events:
            want = line.changes[-1].rv + 1 if line.changes else base + 1
            if rv != want:
                raise Mismatch(f"version {rv} where {want} must follow ({kind} {key})")
            before = now.get(key)
            if kind == ADDED:
                if before is not None:
                    raise Mismatch(f"ADDED at {rv}, but {key} exists since {before.rv}")
                after = State(rv, text)
            elif kind == MODIFIED:
                if before is None:
                    raise Mismatch(f"MODIFIED at {rv}, but {key} does not exist")
                after = State(rv, text)
            else:
                if before is None:
                    raise Mismatch(f"DELETED at {rv}, but {key} does not exist")
                if json.loads(text) != with_version(before.json, rv):
                    raise Mismatch(f"DELETED at {rv} shows {text}, not {before.json}")
                after = None
            if cause is not None and cause != {ADDED: CREATED_, MODIFIED: UPDATED_,
                                               DELETED: DELETED_}[kind]:
                raise Mismatch(f"{kind} at {rv} has cause {cause}")
            line._check_lineage(rv, key, before, after)
            if previous is not None:
                line._check_previous(rv, key, before, previous)
            change = Change(rv, key, before, after)
            line.changes.append(change)
            line.at[rv] = change
            if after is None:
                now.pop(key)
            else:
                now[key] = after
        return line

    @staticmethod
    def _check_lineage(rv, key, before, after):
        if before is None:
            if after is not None and after.generation != 1:
                raise Mismatch(f"{key} created at {rv} with generation {after.generation}")
        elif after is not None:
            if (before.uid, before.created) != (after.uid, after.created):
                raise Mismatch(f"{key} changed its uid or creation time at {rv}")
            step = 1 if before.rest != after.rest else 0
            if after.generation != before.generation + step:
                raise Mismatch(f"{key} at {rv}: generation {before.generation} -> "
                               f"{after.generation}")

    @staticmethod
    def _check_previous(rv, key, before, previous):
        if (previous or None) != (before.json if before else None):
            raise Mismatch(f"previous of {key} at {rv} is {previous!r}, not "
                           f"{before.json if before else None!r}")

    @property
    def head(self):
        return self.changes[-1].rv if self.changes else self.base

    def check_journal(self, journal):
        """(2) and (3): the history is one that the writers' journal allows."""
        of_key = {}
        for change in self.changes:
            if change.key[0] != MARK:
                of_key.setdefault(change.key, []).append(change)
        for entry in journal.entries():
            if entry.state != "acked":
                continue
            change = self.at.get(entry.rv)
            if change is None or change.key != entry.key:
                raise Mismatch(f"acknowledged, but not there: {entry}; at that version: "
                               f"{change and change.key}; the head is {self.head}")
        for key, changes in of_key.items():
            if key not in journal.keys:
                raise Mismatch(f"nobody wrote {key}, and it changed at {changes[0].rv}")
            self._check_key(key, changes, journal.keys[key])

    def _check_key(self, key, changes, entries):
        acked = {entry.rv: i for i, entry in enumerate(entries) if entry.state == "acked"}
        if len(acked) != sum(entry.state == "acked" for entry in entries):
            raise Mismatch(f"two acknowledged writes of {key} have one version")
        at, exists = 0, False
        for change in changes:
            if change.rv in acked:
                goal = acked[change.rv]
                if goal < at:
                    raise Mismatch(f"{entries[goal]} took effect out of order")
            else:
                goal = at
                while goal < len(entries) and not self._may_be(entries[goal], change):
                    if entries[goal].state == "acked":
                        raise Mismatch(f"version {change.rv} of {key} was written by nobody, or "
                                       f"twice: {change.after and change.after.json}; next in the "
                                       f"journal is {entries[goal]}")
                    goal += 1
                if goal == len(entries):
                    raise Mismatch(f"version {change.rv} of {key} was written by nobody, or twice: "
                                   f"{change.after and change.after.json}")
            self._check_skipped(key, entries[at:goal], exists)
            self._check_content(entries[goal], change)
            at, exists = goal + 1, change.after is not None
        self._check_skipped(key, entries[at:], exists)

    @staticmethod
    def _may_be(entry, change):
        if entry.state != "maybe":
            return False
        if entry.op == "delete":
            return change.after is None
        return change.after is not None and (change.after.spec or {}).get("value") == entry.value

    @staticmethod
    def _check_skipped(key, entries, exists):
        for entry in entries:
            if entry.state == "acked":
                raise Mismatch(f"acknowledged, but it left no trace: {entry}")
            if entry.state == "no" and exists:
                raise Mismatch(f"not found, though it existed: {entry}")

    @staticmethod
    def _check_content(entry, change):
        if entry.op == "delete":
            if change.after is not None:
                raise Mismatch(f"{entry} shows an object at {change.rv}")
            return
        if change.after is None:
            raise Mismatch(f"{entry} shows a deletion at {change.rv}")
        if change.after.spec != entry.spec() or change.after.labels != entry.labels:
            raise Mismatch(f"{entry} reads {change.after.json}")
        if entry.state == "acked" and entry.result != (2 if change.before else 1):
            raise Mismatch(f"{entry} answered result {entry.result}, object before: "
                           f"{change.before and change.before.rv}")

    def states(self, version):
        """key -> State as of a version."""
        now = {}
        for change in self.changes:
            if change.rv > version:
                break
            if change.after is None:
                now.pop(change.key, None)
            else:
                now[change.key] = change.after
        return now

    def snapshot(self, sels, version):
        """The events of a snapshot: (ADDED, rv, key, json, cause, previous), in key order."""
        return [(ADDED, state.rv, key, state.json, 0, None)
                for key, state in sorted(self.states(version).items())
                if any(sel.matches(key, state.labels) for sel in sels)]

    def suffix(self, sels, since, upto=None):
        """The events with since < rv <= upto that a selection sees."""
        events = []
        upto = self.head if upto is None else upto
        for rv in range(max(since, self.base) + 1, upto + 1):
            change = self.at[rv]
            was = change.before is not None and any(
                sel.matches(change.key, change.before.labels) for sel in sels)
            now = change.after is not None and any(
                sel.matches(change.key, change.after.labels) for sel in sels)
            if not was and not now:
                continue
            previous = change.before.json if change.before else None
            if now and not was:
                cause = ENTERED_ if change.before else CREATED_
                events.append((ADDED, rv, change.key, change.after.json, cause, previous))
            elif now:
                events.append((MODIFIED, rv, change.key, change.after.json, UPDATED_, previous))
            else:
                cause = LEFT_ if change.after else DELETED_
                events.append((DELETED, rv, change.key, with_version(change.before.json, rv),
                               cause, previous))
        return events
