package store

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
)

// entryID gives the key of an event in audit_entry: its minute, the microsecond
// in it, and what makes it unique. It gives false for times that have no place
// in it.
func entryID(t time.Time, unique []byte) ([]byte, bool) {
	us := t.UnixMicro()
	minute := us / time.Minute.Microseconds()
	if us <= 0 || minute > 1<<32-1 {
		return nil, false
	}
	id := binary.BigEndian.AppendUint32(make([]byte, 0, 16), uint32(minute))
	id = binary.BigEndian.AppendUint32(id, uint32(us%time.Minute.Microseconds()))
	return append(id, unique...), true
}

// entryTime gives the time that an id tells.
func entryTime(id []byte) time.Time {
	us := int64(binary.BigEndian.Uint32(id))*time.Minute.Microseconds() + int64(binary.BigEndian.Uint32(id[4:]))
	return time.UnixMicro(us).UTC()
}

// entryKey gives the key that an id stands for; false for one that entryID does
// not make. Some ids of events in audit_event look like one.
func entryKey(id string) ([]byte, bool) {
	if len(id) != 32 || !isHex(id) {
		return nil, false
	}
	key := appendHex(make([]byte, 0, 16), id)
	return key, int64(binary.BigEndian.Uint32(key[4:])) < time.Minute.Microseconds()
}

// packRef gives the stored form of an id: 17 bytes for one as Mandate makes
// them, the text itself for any other. No text begins with a NUL.
func packRef(id string) []byte {
	if len(id) == 32 && isHex(id) {
		return appendHex(make([]byte, 1, 17), id)
	}
	return []byte(id)
}

func unpackRef(b []byte) string {
	if len(b) == 17 && b[0] == 0 {
		return hex.EncodeToString(b[1:])
	}
	return string(b)
}

// entryHead packs the columns that have no index, the kind first: heads of a
// kind, and of no other, begin with its short form.
func entryHead(e audit.Event) []byte {
	b := make([]byte, 0, 96)
	b = shorten(b, string(e.Kind))
	b = shorten(b, e.Action)
	b = shorten(b, string(e.Outcome))
	b = shorten(b, e.Reason)
	b = shorten(b, e.SessionID)
	b = shorten(b, e.RequestID)
	return shorten(b, e.Resource.String())
}

// openHead reads it into the event. Errors: a head that none writes.
func openHead(e *audit.Event, head []byte) error {
	r := shortReader{b: head}
	e.Kind, e.Action, e.Outcome, e.Reason = audit.Kind(r.text()), r.text(), audit.Outcome(r.text()), r.text()
	e.SessionID, e.RequestID = r.text(), r.text()
	resource := r.text()
	if r.err != nil || len(r.b) > 0 {
		return errShortForm
	}
	err := reference{&e.Resource}.Scan(resource)
	if err == nil && e.Resource.String() != resource {
		return errShortForm
	}
	return err
}

// packedBody begins the sealed part of an event in its short form. JSON, as it
// was written before, begins with a brace.
const packedBody byte = 2

// The parts of a packed body; a varint says which are there.
const (
	hasCapacity uint64 = 1 << iota
	hasNetwork
	hasToken
	hasConsents
	hasDetail
	hasCount
	hasVersion
	hasQuery
	hasDelivered
)

// packedTexts are the parts that are one text, packedLists those that are many;
// in the order of their bits.
func packedTexts(e *audit.Event) []packedPart[*string] {
	return []packedPart[*string]{{hasNetwork, &e.Network}, {hasToken, &e.TokenID}, {hasVersion, &e.ResourceVersion}, {hasQuery, &e.Query}}
}

func packedLists(e *audit.Event) []packedPart[*[]string] {
	return []packedPart[*[]string]{{hasConsents, &e.Consents}, {hasDelivered, &e.Delivered}}
}

type packedPart[T any] struct {
	bit   uint64
	value T
}

// packBody gives the short form of what is sealed.
func packBody(e audit.Event) []byte {
	var parts uint64
	b := make([]byte, 0, 192)
	if c := e.Capacity; c != (fhir.Capacity{}) {
		parts |= hasCapacity
		for _, s := range []string{string(c.Kind), c.Acting.String(), c.Patient, c.Purpose, c.Relationship} {
			b = shorten(b, s)
		}
	}
	for _, p := range packedTexts(&e) {
		if *p.value != "" {
			parts, b = parts|p.bit, shorten(b, *p.value)
		}
	}
	for _, p := range packedLists(&e) {
		if len(*p.value) > 0 {
			parts, b = parts|p.bit, shortenAll(b, *p.value)
		}
	}
	if len(e.Detail) > 0 {
		var pairs []string
		for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
			pairs = append(pairs, k, e.Detail[k])
		}
		parts, b = parts|hasDetail, shortenAll(b, pairs)
	}
	if e.Count != 0 {
		parts, b = parts|hasCount, binary.AppendVarint(b, int64(e.Count))
	}
	return append(binary.AppendUvarint([]byte{packedBody}, parts), b...)
}

// openBody reads it into the event. Errors: bytes that packBody does not write.
func openBody(e *audit.Event, plain []byte) error {
	r := shortReader{b: plain}
	if mark := r.take(1); mark == nil || mark[0] != packedBody {
		return errShortForm
	}
	parts := r.number()
	if parts&hasCapacity != 0 {
		e.Capacity.Kind = fhir.CapacityKind(r.text())
		if err := (reference{&e.Capacity.Acting}).Scan(r.text()); err != nil {
			return err
		}
		e.Capacity.Patient, e.Capacity.Purpose, e.Capacity.Relationship = r.text(), r.text(), r.text()
	}
	for _, p := range packedTexts(e) {
		if parts&p.bit != 0 {
			*p.value = r.text()
		}
	}
	for _, p := range packedLists(e) {
		if parts&p.bit != 0 {
			*p.value = r.texts()
		}
	}
	if parts&hasDetail != 0 {
		e.Detail = map[string]string{}
		for pair := range slices.Chunk(r.texts(), 2) {
			if len(pair) == 2 {
				e.Detail[pair[0]] = pair[1]
			}
		}
	}
	if parts&hasCount != 0 {
		e.Count = int(r.signed())
	}
	if r.err != nil || len(r.b) > 0 {
		return errShortForm
	}
	return nil
}
