package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// micros gives the stored form of a time: microseconds since 1970 in UTC, 0
// for the zero time. The epoch itself is stored as one microsecond earlier, so
// that a bound set there never turns into an open one.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if us := t.UnixMicro(); us != 0 {
		return us
	}
	return -1
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// moment reads a BIGINT column into a time.
type moment struct{ t *time.Time }

// Scan takes the column value.
func (m moment) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("store: time column holds %T", src)
	}
	*m.t = fromMicros(us)
	return nil
}

func into(t *time.Time) moment { return moment{t} }

// document is a TEXT column that holds JSON; empty values are stored as "".
type document struct{ v any }

func doc(v any) document { return document{v} }

// Value gives the text to store.
func (d document) Value() (driver.Value, error) { return d.text() }

func (d document) text() (string, error) {
	b, err := json.Marshal(d.v)
	if err != nil {
		return "", fmt.Errorf("store: value has no JSON form: %w", err)
	}
	switch s := string(b); s {
	case "null", "{}", "[]":
		return "", nil
	default:
		return s, nil
	}
}

// Scan reads the text into the value, which must be a pointer.
func (d document) Scan(src any) error {
	var b []byte
	switch s := src.(type) {
	case string:
		b = []byte(s)
	case []byte:
		b = s
	default:
		return fmt.Errorf("store: document column holds %T", src)
	}
	if len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, d.v)
}

// reference is a TEXT column that holds "Type/id", "Type/" or "".
type reference struct{ r *fhir.Reference }

// Scan reads the text.
func (c reference) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("store: reference column holds %T", src)
	}
	ref, ok := fhir.ParseReference(s)
	if typ, typeOnly := strings.CutSuffix(s, "/"); !ok && typeOnly && fhir.ValidType(typ) {
		// A search is about a type, not about one resource.
		ref = fhir.Reference{Type: typ}
	}
	*c.r = ref
	return nil
}
