package proxy_test

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

func shipped(t *testing.T) proxy.Ages {
	t.Helper()
	ages, err := proxy.ShippedAges()
	if err != nil {
		t.Fatal(err)
	}
	return ages
}

// LC-20, LC-21: birthdays begin at midnight where the patient lives; somebody born
// on 29 February has the birthday that the law says; a law that changes counts from
// the day it holds.
func TestBirthdays(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		jurisdiction, born, teen, adult string
		zone                            *time.Location
	}{
		{"US", "2013-06-01", "2026-06-01T00:00:00Z", "2031-06-01T00:00:00Z", time.UTC},
		{"US", "2013-06-01", "2026-06-01T05:00:00Z", "2031-06-01T05:00:00Z", chicago},
		{"US", "2013-12-31", "2026-12-31T06:00:00Z", "2031-12-31T06:00:00Z", chicago},
		// A leap day: in 2021 and 2026 there is none, in 2028 there is one.
		{"US", "2008-02-29", "2021-03-01T00:00:00Z", "2026-03-01T00:00:00Z", time.UTC},
		{"NZ", "2008-02-29", "2020-02-29T00:00:00Z", "2024-02-29T00:00:00Z", time.UTC},
		{"NZ", "2012-02-29", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z", time.UTC},
		// Alabama raised the age from 14 to 16 on 1 October 2025: who was 14 before
		// stays a teenager, who was not waits.
		{"US-AL", "2011-09-30", "2025-09-30T00:00:00Z", "2030-09-30T00:00:00Z", time.UTC},
		{"US-AL", "2011-10-01", "2027-10-01T00:00:00Z", "2030-10-01T00:00:00Z", time.UTC},
		{"US-NE", "2010-01-01", "2023-01-01T00:00:00Z", "2029-01-01T00:00:00Z", time.UTC},
	} {
		teen, adult, ok := shipped(t).Turns(w.jurisdiction, w.born, w.zone)
		if got := teen.UTC().Format(time.RFC3339); !ok || got != w.teen {
			t.Errorf("%s %s: a teenager on %s, want %s", w.jurisdiction, w.born, got, w.teen)
		}
		if got := adult.UTC().Format(time.RFC3339); got != w.adult {
			t.Errorf("%s %s: an adult on %s, want %s", w.jurisdiction, w.born, got, w.adult)
		}
	}
	nz := proxy.Ages{{Jurisdiction: "x", From: "2000-01-01", Teen: 13, Adult: 18, LeapDay: "02-28"}}
	if teen, _, _ := nz.Turns("x", "2008-02-29", time.UTC); teen.Format(time.DateOnly) != "2021-02-28" {
		t.Errorf("born on a leap day, thirteen on %s", teen)
	}
	for _, born := range []string{"", "2010", "2010-06", "30 June"} {
		if _, _, ok := shipped(t).Turns("US", born, time.UTC); ok {
			t.Errorf("%q is a birthday", born)
		}
	}
	if _, _, ok := shipped(t).Turns("XX", "2010-01-01", time.UTC); ok {
		t.Error("a place without rules has some")
	}
}

// A file about the law that is not fully understood is not used at all.
func TestRulesAboutAgesAreReadStrictly(t *testing.T) {
	const good = `{"jurisdiction":"A","from":"2000-01-01","until":"2020-01-01","teen":13,"adult":18,"leap_day":"03-01","source":"s"}`
	read := func(rows string) error {
		_, err := proxy.ReadAges([]byte(`{"minor_ages":[` + rows + `]}`))
		return err
	}
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	for name, rows := range map[string]string{
		"an unknown member":   `{"jurisdiction":"A","from":"2000-01-01","teen":13,"adult":18,"leap_day":"03-01","source":"s","x":1}`,
		"a member twice":      `{"jurisdiction":"A","jurisdiction":"B","from":"2000-01-01","teen":13,"adult":18,"leap_day":"03-01","source":"s"}`,
		"no source":           `{"jurisdiction":"A","from":"2000-01-01","teen":13,"adult":18,"leap_day":"03-01"}`,
		"no day":              `{"jurisdiction":"A","from":"soon","teen":13,"adult":18,"leap_day":"03-01","source":"s"}`,
		"an end before":       `{"jurisdiction":"A","from":"2000-01-01","until":"1999-01-01","teen":13,"adult":18,"leap_day":"03-01","source":"s"}`,
		"an adult before":     `{"jurisdiction":"A","from":"2000-01-01","teen":18,"adult":13,"leap_day":"03-01","source":"s"}`,
		"another leap day":    `{"jurisdiction":"A","from":"2000-01-01","teen":13,"adult":18,"leap_day":"02-27","source":"s"}`,
		"two at the same day": good + `,{"jurisdiction":"A","from":"2019-01-01","teen":13,"adult":18,"leap_day":"03-01","source":"s"}`,
		"no JSON":             `{`,
	} {
		if err := read(rows); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := read(good + `,{"jurisdiction":"A","from":"2020-01-01","teen":16,"adult":18,"leap_day":"03-01","source":"s"}`); err != nil {
		t.Error(err)
	}
}
