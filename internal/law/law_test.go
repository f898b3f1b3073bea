package law_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/law"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func of(t *testing.T, place string, zone *time.Location, more ...law.File) *law.Law {
	t.Helper()
	book, err := law.Load(append(law.Shipped(), more...)...)
	if err != nil {
		t.Fatal(err)
	}
	l, ok := book.Of(place, zone)
	if !ok {
		t.Fatal("no pack", place)
	}
	return l
}

// LC-20, LC-21: birthdays begin at midnight where the patient lives; somebody born
// on 29 February has the birthday that the law says; a law that changes counts from
// the day it holds.
// CPA TF-13, TR-26; FX-23.
func TestBirthdays(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		jurisdiction, born, teen, adult string
		zone                            *time.Location
	}{
		{"US", "2013-06-01", "2026-06-01T00:00:00Z", "2031-06-01T00:00:00Z", nil},
		{"US", "2013-06-01", "2026-06-01T05:00:00Z", "2031-06-01T05:00:00Z", chicago},
		{"US", "2013-12-31", "2026-12-31T06:00:00Z", "2031-12-31T06:00:00Z", chicago},
		// A leap day: in 2021 and 2026 there is none, in 2028 there is one.
		{"US", "2008-02-29", "2021-03-01T00:00:00Z", "2026-03-01T00:00:00Z", nil},
		{"NZ", "2008-02-29", "2020-02-29T00:00:00Z", "2024-02-29T00:00:00Z", nil},
		{"NZ", "2010-02-28", "2022-02-28T00:00:00Z", "2026-02-28T00:00:00Z", nil},
		// Alabama raised the age from 14 to 16 on 1 October 2025: who was 14 before
		// stays a teenager, who was not waits.
		{"US-AL", "2011-09-30", "2025-09-30T00:00:00Z", "2030-09-30T00:00:00Z", nil},
		{"US-AL", "2011-10-01", "2027-10-01T00:00:00Z", "2030-10-01T00:00:00Z", nil},
		{"US-NE", "2010-01-01", "2023-01-01T00:00:00Z", "2029-01-01T00:00:00Z", nil},
	} {
		teen, adult, ok := of(t, w.jurisdiction, w.zone).Turns(w.born)
		if got := teen.UTC().Format(time.RFC3339); !ok || got != w.teen {
			t.Errorf("%s %s: a teenager on %s, want %s", w.jurisdiction, w.born, got, w.teen)
		}
		if got := adult.UTC().Format(time.RFC3339); got != w.adult {
			t.Errorf("%s %s: an adult on %s, want %s", w.jurisdiction, w.born, got, w.adult)
		}
	}
	fourteen := of(t, "NZ", nil, pack("NZ", "", `"ages": [{"from":"2000-01-01","source":"s","teen":13,"adult":18,"leap_day":"02-28"}]`))
	if teen, _, _ := fourteen.Turns("2008-02-29"); teen.Format(time.DateOnly) != "2021-02-28" {
		t.Errorf("born on a leap day, thirteen on %s", teen)
	}
	for _, born := range []string{"", "2010", "2010-06", "30 June"} {
		if _, _, ok := of(t, "US", nil).Turns(born); ok {
			t.Errorf("%q is a birthday", born)
		}
	}
}

func pack(place, inherits, rules string) law.File {
	text := `{"format":1,"jurisdiction":"` + place + `","version":"1","reviewed":"Counsel, 2026-11-01"`
	if inherits != "" {
		text += `,"inherits":"` + inherits + `"`
	}
	return law.File{Name: "own/" + place + ".json", Text: []byte(text + "," + rules + "}")}
}

// IB-01, IB-02, LB-11, P2-14: what comes with the program says that nobody reviewed
// it, each rule has a source, and a state has what the country has unless it speaks
// of the same.
func TestWhatComesWithTheProgram(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	book, err := law.Load(law.Shipped()...)
	if err != nil || len(book.Jurisdictions()) < 9 {
		t.Fatal(err)
	}
	for _, place := range book.Jurisdictions() {
		l, _ := book.Of(place, nil)
		if l.Reviewed != "none" || !strings.Contains(l.Note, "from memory") {
			t.Errorf("%s claims a review", place)
		}
		for _, g := range l.GroundsAt(now) {
			if g.Cite == "" || !l.Known(g.ID, now) {
				t.Errorf("%s: %+v", place, g)
			}
		}
		if len(l.GroundsAt(now)) == 0 || l.Days(law.ClockDenial, now) == 0 || len(l.Labels("hiv", now)) == 0 {
			t.Errorf("%s has no ground, clock or label", place)
		}
	}
	al, _ := book.Of("US-AL", nil)
	if n, ok := al.NoticeAt(law.NoticePart2, now); !ok || !strings.Contains(n.Text, "42 CFR") {
		t.Error("nothing was inherited")
	}
	if at := al.Alone("2020-05-01"); at["substance-use"].Year() != 2020 || at["hiv"].Year() != 2032 || len(at) != 3 {
		t.Errorf("%v", at)
	}
	if al.Known("because", now) || al.Known("", now) || al.Known("171.201", now.AddDate(-10, 0, 0)) {
		t.Error("a ground that there is not")
	}
}

// A rule holds on its days, where the patients live.
func TestWhatHoldsAtAnInstant(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	l := of(t, "US-TX", chicago, pack("US-TX", "US", `"clocks": [
		{"from":"2000-01-01","until":"2027-01-01","source":"s","name":"denial-review","days":10,"unit":"working-days"},
		{"from":"2027-01-01","source":"s","name":"denial-review","days":5,"unit":"working-days"}]`))
	eve := time.Date(2027, 1, 1, 5, 59, 0, 0, time.UTC)
	if l.Days(law.ClockDenial, eve) != 10 || l.Days(law.ClockDenial, eve.Add(time.Minute)) != 5 || l.Days(law.ClockCapacity, eve) != 90 {
		t.Error("the clock of another day or zone")
	}
}

// A pack that is not fully understood is not used at all: the file, the path and the
// reason are told, of every fault at once.
func TestPacksAreReadStrictly(t *testing.T) {
	const age = `{"from":"2000-01-01","until":"2020-01-01","source":"s","teen":13,"adult":18,"leap_day":"03-01"}`
	for want, rules := range map[string]string{
		`unknown field "x"`:                                        `"x":1`,
		`own/XX.json: ages[0].source: is missing`:                  `"ages":[{"from":"2000-01-01","teen":13,"adult":18,"leap_day":"03-01"}]`,
		`own/XX.json: ages[0].from: "soon" is no day`:              `"ages":[{"from":"soon","source":"s","teen":13,"adult":18,"leap_day":"03-01"}]`,
		`own/XX.json: ages[0].until`:                               `"ages":[{"from":"2000-01-01","until":"1999-01-01","source":"s","teen":13,"adult":18,"leap_day":"03-01"}]`,
		`own/XX.json: ages[0].adult`:                               `"ages":[{"from":"2000-01-01","source":"s","teen":18,"adult":13,"leap_day":"03-01"}]`,
		`own/XX.json: ages[0].leap_day`:                            `"ages":[{"from":"2000-01-01","source":"s","teen":13,"adult":18,"leap_day":"02-27"}]`,
		`own/XX.json: ages[1]: holds on days of ages[0] too`:       `"ages":[` + age + `,{"from":"2019-01-01","source":"s","teen":13,"adult":18,"leap_day":"03-01"}]`,
		`own/XX.json: signers[0].sign`:                             `"signers":[{"from":"2000-01-01","source":"s","band":"teen","sign":["patient"]}]`,
		`own/XX.json: minor_topics[0].topic: "cold" is none of`:    `"minor_topics":[{"from":"2000-01-01","source":"s","topic":"cold","age":12}]`,
		`own/XX.json: denial_grounds[0].cite: is missing`:          `"denial_grounds":[{"from":"2000-01-01","source":"s","id":"a","text":"b"}]`,
		`own/XX.json: clocks[0].unit: "days": this clock counts w`: `"clocks":[{"from":"2000-01-01","source":"s","name":"denial-review","days":5,"unit":"days"}]`,
		`own/XX.json: notices[0].text: must be one line`:           `"notices":[{"from":"2000-01-01","source":"s","name":"part2-redisclosure","key":"k","text":"two\nlines"}]`,
		`own/XX.json: label_sets[0].labels[1]: "HIV" stands twice`: `"label_sets":[{"from":"2000-01-01","source":"s","topic":"hiv","labels":["HIV","HIV"]}]`,
		`own/XX.json: ages.teen: is a string`:                      `"ages":[{"from":"2000-01-01","source":"s","teen":"13","adult":18,"leap_day":"03-01"}]`,
	} {
		_, err := law.Load(append(law.Shipped(), pack("XX", "", rules))...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for want, f := range map[string]law.File{
		"the same member twice":                    pack("XX", "", `"version":"2"`),
		"format: is 2; this program reads 1":       {Name: "a.json", Text: []byte(`{"format":2,"jurisdiction":"XX","version":"1","reviewed":"none"}`)},
		"reviewed: is missing":                     {Name: "a.json", Text: []byte(`{"format":1,"jurisdiction":"XX","version":"1"}`)},
		"inherits: there is no pack ZZ above XX":   pack("XX", "ZZ", `"note":""`),
		"inherits: there is no pack US-YY above U": pack("US", "US-YY", `"note":""`),
	} {
		if _, err := law.Load(append(law.Shipped(), f)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// What changes with a pack is told with what it does to accesses that there are.
func TestWhatAPackChanges(t *testing.T) {
	was := of(t, "US", nil)
	is := of(t, "US", nil, pack("US", "", `
		"ages": [{"from":"2000-01-01","source":"s","teen":12,"adult":18,"leap_day":"03-01"}],
		"clocks": [{"from":"2000-01-01","source":"s","name":"denial-review","days":20,"unit":"working-days"}],
		"minor_topics": [{"from":"2000-01-01","source":"s","topic":"hiv","age":12}],
		"label_sets": [{"from":"2000-01-01","source":"s","topic":"mental-health","labels":["MH","PSY"]}]`))
	got := map[string]string{}
	for _, d := range law.Diff(was, is) {
		got[d.Section+" "+d.Key] = d.Effect
	}
	for rule, want := range map[string]string{
		"ages ages": law.Narrows, "clocks denial-review": law.Widens, "minor_topics hiv": law.Narrows,
		"label_sets mental-health": law.Narrows, "denial_grounds 171.201": law.Changes, "clocks capacity-review": law.Widens,
	} {
		if got[rule] != want {
			t.Errorf("%s %s, want %s", rule, got[rule], want)
		}
	}
	if same := law.Diff(was, was); len(same) != 0 {
		t.Errorf("%v", same)
	}
	if !slices.Equal(was.Labels("violence", noon), []string{"SDV", "VIO"}) {
		t.Error(was.Labels("violence", noon))
	}
}
