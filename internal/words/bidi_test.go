package words

import (
	"strings"
	"testing"
)

// D.10 WC-15: a name or an id of the other direction stays in one piece and moves
// nothing around it; what runs as the sentence does is left alone.
func TestValuesOfTheOtherDirectionAreIsolated(t *testing.T) {
	c := catalogue(t)
	for _, w := range []struct{ lang, value, want string }{
		{"en", "Rosa Alvarez", "Rosa Alvarez"},
		{"en", "ليلى حداد", "\u2068ليلى حداد\u2069"},
		{"es", "José 7", "José 7"},
		{"ar", "ليلى حداد", "ليلى حداد"},
		{"ar", "Rosa Alvarez", "\u2068Rosa Alvarez\u2069"},
		{"ar", "+1 555 0100", "\u2068+1 555 0100\u2069"},
		{"ar", "2027-05-20", "\u20682027-05-20\u2069"},
		{"ar", "ليلى (Lab)", "\u2068ليلى (Lab)\u2069"},
		{"ar", "https://mandate.example/home", "https://mandate.example/home"},
		{"en", "evil\u202egnp", "\u2068evilgnp\u2069"},
		{"en", "out\u2069side", "\u2068outside\u2069"},
		{"en", "in\u2067side", "\u2068in\u2067side\u2069\u2069"},
	} {
		got := c.T(w.lang, "common.signed_in_as", Args{"name": w.value})
		if !strings.HasSuffix(got, " "+w.want) {
			t.Errorf("%s %q: %q, want %q", w.lang, w.value, got, w.want)
		}
	}
	if c.Dir("ar") != "rtl" || c.Dir("es") != "ltr" || c.Dir("xx") != "ltr" {
		t.Error("directions")
	}
}

func FuzzAValueNeverLeavesItsPlace(f *testing.F) {
	c, err := New()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Rosa", "ar")
	f.Add("\u2069\u2067\u202e", "en")
	f.Fuzz(func(t *testing.T, value, lang string) {
		depth := 0
		for _, r := range c.T(lang, "common.signed_in_as", Args{"name": value}) {
			switch r {
			case '\u2066', '\u2067', '\u2068':
				depth++
			case '\u2069':
				depth--
			case '\u202a', '\u202b', '\u202c', '\u202d', '\u202e':
				t.Fatalf("%q keeps %q", value, r)
			}
			if depth < 0 {
				t.Fatalf("%q leaves its place", value)
			}
		}
		if depth != 0 {
			t.Fatalf("%q leaves %d open", value, depth)
		}
	})
}

// A code is typed with the digits of the person's keyboard.
func TestDigitsOfAnyKeyboardAreNumbers(t *testing.T) {
	if got := PlainDigits("٠١٢ ۳۴۵ 678 x"); got != "012 345 678 x" {
		t.Error(got)
	}
}
