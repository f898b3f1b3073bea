package words

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func catalogue(t *testing.T) *Catalogue {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

// forms are the ends of the keys of one text's plural forms: those of English
// are everywhere, the others where the language has them.
func forms(lang string) []string {
	if lang == "ar" {
		return []string{".one", ".two", ".few", ".many", ".other"}
	}
	return []string{".one", ".other"}
}

// places are the placeholders of a text, each once. A form for one or two things
// may say their number in the word itself.
func places(key, text string) []string {
	found := placeholder.FindAllString(text, -1)
	for _, form := range []string{".zero", ".one", ".two"} {
		if strings.HasSuffix(key, form) {
			found = slices.DeleteFunc(found, func(p string) bool { return p == "{count}" })
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// D.10 WC-15: no page falls back to another language in mid-sentence.
func TestAllLanguagesSayTheSameThings(t *testing.T) {
	c := catalogue(t)
	for _, l := range Languages() {
		own := 0
		for key, text := range c.texts[Fallback] {
			want := []string{key}
			if stem, ok := strings.CutSuffix(key, ".one"); ok {
				want, text = want[:0], c.texts[Fallback][stem+".other"]
				for _, form := range forms(l.Code) {
					want = append(want, stem+form)
				}
				own-- // .other is counted by itself
			}
			own += len(want)
			for _, k := range want {
				other, ok := c.texts[l.Code][k]
				if !ok || strings.TrimSpace(strings.ReplaceAll(other, ",", "")) == "" && key != "common.comma" {
					t.Errorf("%s has no %s", l.Code, k)
					continue
				}
				if a, b := places(k, text), places(k, other); !slices.Equal(a, b) {
					t.Errorf("%s: %s has %v, %s has %v", k, Fallback, a, l.Code, b)
				}
			}
		}
		if len(c.texts[l.Code]) != own {
			t.Errorf("%s has %d texts, of which %s knows %d", l.Code, len(c.texts[l.Code]), Fallback, own)
		}
	}
}

// Screens rule 2: no scope strings, resource names, codes, or "authorize".
func TestTextsHoldNoJargon(t *testing.T) {
	jargon := regexp.MustCompile(`(?i:\b(authori[sz]e|autorizar|oauth|fhir|token|resource|recurso|JWT|API|URI|scope)\b)|patient/|user/|[a-z]+[A-Z][a-z]+|!|¡`)
	c := catalogue(t)
	for _, l := range Languages() {
		for key, text := range c.texts[l.Code] {
			if hit := jargon.FindString(placeholder.ReplaceAllString(text, "")); hit != "" {
				t.Errorf("%s %s holds %q", l.Code, key, hit)
			}
		}
	}
}

func TestPluralFormsFollowTheLanguage(t *testing.T) {
	c := catalogue(t)
	for _, w := range []struct {
		lang string
		n    int
		want string
	}{
		{"en", 0, "nothing yet"},
		{"en", 1, "1 entry"},
		{"en", 38, "38 entries"},
		{"en", 1212, "1,212 entries"},
		{"es", 0, "nada todavía"},
		{"es", 1, "1 dato"},
		{"es", 12120, "12.120 datos"},
		{"es", 1000000, "1.000.000 datos"},
		{"ar", 0, "لا شيء بعد"},
		{"ar", 1, "عنصر واحد"},
		{"ar", 2, "عنصران"},
		{"ar", 3, "٣ عناصر"},
		{"ar", 11, "١١ عنصرا"},
		{"ar", 99, "٩٩ عنصرا"},
		{"ar", 100, "١٠٠ عنصر"},
		{"ar", 103, "١٠٣ عناصر"},
		{"ar", 12120, "١٢٬١٢٠ عنصرا"},
	} {
		if got := c.T(w.lang, "consent.entries", Args{"count": w.n}); got != w.want {
			t.Errorf("%s %d: %q, want %q", w.lang, w.n, got, w.want)
		}
	}
}

func TestAValueIsNeverFilledAgain(t *testing.T) {
	c := catalogue(t)
	got := c.T("en", "consent.need_reason", Args{"app": "{reason}", "reason": "{app} {"})
	if want := "{reason} says that it needs this: “{app} {”."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestUnknownKeysAreVisibleAndUnknownLanguagesFallBack(t *testing.T) {
	c := catalogue(t)
	if got := c.T("en", "no.such.key", nil); got != "⟦no.such.key⟧" {
		t.Error(got)
	}
	if got := c.T("xx", "common.back", nil); got != "Back" {
		t.Error(got)
	}
}

func TestDatesAreWords(t *testing.T) {
	c := catalogue(t)
	at := time.Date(2027, time.May, 20, 14, 5, 0, 0, time.UTC)
	for got, want := range map[string]string{
		c.Date("en", at):                     "20 May 2027",
		c.Date("es", at):                     "20 de mayo de 2027",
		c.Date("ar", at):                     "٢٠ مايو ٢٠٢٧",
		c.DateTime("ar", at):                 "٢٠ مايو ٢٠٢٧، \u2068١٤:٠٥ UTC\u2069",
		c.PartialDate("ar", "1939"):          "١٩٣٩",
		c.Date("en", time.Time{}):            "",
		c.DateTime("en", at):                 "20 May 2027, 14:05 UTC",
		c.PartialDate("en", "1947-03-02"):    "2 March 1947",
		c.PartialDate("es", "1947-03"):       "marzo de 1947",
		c.PartialDate("en", "1939"):          "1939",
		c.PartialDate("en", "last <spring>"): "last <spring>",
		c.PartialDate("en", "1947-13-02"):    "1947-13-02",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// RC-08 to RC-12: the family codes have words in each language.
func TestRelationshipsAreWords(t *testing.T) {
	c := catalogue(t)
	codes := strings.Fields("SPS HUSB WIFE DOMPART SIGOTHR FMRSPS CHILD DAUC SONC DAU SON STPCHLD CHLDADOPT CHLDFOST CHLDINLAW " +
		"PRN MTH FTH STPPRN PRNFOST GRPRN SIB BRO SIS NIENEPH NIECE NEPHEW GRNDCHILD COUSN EXT FRND NBOR ROOM " +
		"HPOWATT DPOWATT SPOWATT POWATT GUARD GUADLTM EXCEST RESPRSN ECON NOK CAREGIVER AUCG")
	for _, l := range Languages() {
		for _, code := range codes {
			if !c.Has("relation." + code) {
				t.Errorf("%s has no word", code)
			}
			if got := c.Relation(l.Code, code); strings.Contains(got, code) {
				t.Errorf("%s %s: %q", l.Code, code, got)
			}
		}
	}
	for got, want := range map[string]string{
		c.As("en", "DAUC", "female"): "as her daughter",
		c.As("en", "SONC", "male"):   "as his son",
		c.As("en", "DAUC", ""):       "as daughter",
		c.As("es", "DAUC", "female"): "como su hija",
		c.As("ar", "DAUC", "female"): "بصفة ابنة لها",
		c.As("en", "XXX", "other"):   "as trusted person",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestKindsAreWords(t *testing.T) {
	c := catalogue(t)
	for _, w := range []struct {
		kind   Kind
		en, es string
	}{
		{Kind{Type: "MedicationRequest"}, "Medicines", "Medicamentos"},
		{Kind{Type: "Observation", Category: "laboratory"}, "Laboratory results", "Resultados de laboratorio"},
		{Kind{Type: "Observation", Category: "x-local"}, "Some of: test results", "Una parte de: resultados de pruebas"},
		{Kind{Type: "Condition", Query: true}, "Some of: conditions", "Una parte de: enfermedades"},
		{Kind{Type: "DocumentReference", Topic: "PSY"}, "Letters and notes about mental health", "Cartas y notas sobre salud mental"},
		{Kind{Topic: "HIV"}, "HIV", "VIH"},
		{Kind{Type: "Observation", Topic: "HIV"}, "Test results about HIV", "Resultados de pruebas sobre VIH"},
		{Kind{Topic: "42CFRPart2"}, "Alcohol and drug use", "Alcohol y drogas"},
		{Kind{Topic: "NEW"}, "Other specially protected data", "Otros datos con protección especial"},
		{Kind{Type: "MolecularSequence"}, "Other health data", "Otros datos de salud"},
	} {
		if got := c.Kind("en", w.kind); got != w.en {
			t.Errorf("%+v: %q, want %q", w.kind, got, w.en)
		}
		if got := c.Kind("es", w.kind); got != w.es {
			t.Errorf("%+v: %q, want %q", w.kind, got, w.es)
		}
	}
	if got := c.Action("en", "Communication", "create"); got != "Send a message to the care team" {
		t.Error(got)
	}
	if got := c.Action("en", "Goal", "update"); got != "Change: goals of care" {
		t.Error(got)
	}
	if got := c.Category("en", "Observation", "x-local"); got != "One special part" {
		t.Error(got)
	}
}

// SMART SCP-30: each scope has a short and a long line in each language and
// never shows its own text; SCP-10: the wildcard says that later kinds count.
func TestEveryScopeIsExplained(t *testing.T) {
	c := catalogue(t)
	scopes := []ScopeParts{
		{Name: "openid"},
		{Name: "fhirUser"},
		{Name: "profile"},
		{Name: "launch"},
		{Name: "launch/patient"},
		{Name: "launch/encounter"},
		{Name: "offline_access"},
		{Name: "online_access"},
		{Name: "vendor/strange"},
		{Level: "patient", Ops: "rs", Kind: Kind{Type: "Observation", Category: "vital-signs"}},
		{Level: "user", Ops: "cruds", Kind: Kind{Type: "*"}},
		{Level: "system", Ops: "rs", Kind: Kind{Type: "Observation", Query: true}},
		{Level: "odd", Ops: "d", Kind: Kind{Type: "MolecularSequence"}},
	}
	code := regexp.MustCompile(`[a-z]+[A-Z]|\w/\w|_|[⟦*?=|]`)
	for _, l := range Languages() {
		for _, s := range scopes {
			short, long := c.Scope(l.Code, s)
			if short == "" || long == "" || short == long || code.MatchString(short+" "+long) {
				t.Errorf("%s %+v: %q / %q", l.Code, s, short, long)
			}
		}
	}
	short, long := c.Scope("en", scopes[10])
	if short != "See, add, change and delete: everything in the record, now and later" {
		t.Error(short)
	}
	if !strings.HasSuffix(long, "This also means kinds of data that come later.") {
		t.Error(long)
	}
}

func TestLists(t *testing.T) {
	c := catalogue(t)
	for got, want := range map[string]string{
		c.List("en", nil):                                "",
		c.List("en", []string{"a"}):                      "a",
		c.List("en", []string{"a", "b", "c"}):            "a, b and c",
		c.List("es", []string{"a", "b"}):                 "a y b",
		c.List("ar", []string{"أدوية", "لقاحات", "VIH"}): "أدوية، لقاحات و\u2068VIH\u2069",
		c.List("es", []string{"citas", "informes"}):      "citas e informes",
		c.List("es", []string{"agua", "hielo"}):          "agua y hielo",
		c.List("es", []string{"alergias", "hijos"}):      "alergias e hijos",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzNegotiateAlwaysGivesOneOfOurs(f *testing.F) {
	c, err := New()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("es-MX,es;q=0.9", "")
	f.Add("de", "es")
	f.Add(strings.Repeat("x,", 500), "xx")
	f.Fuzz(func(t *testing.T, header, chosen string) {
		if got := c.Negotiate(header, chosen); !slices.Contains(c.order, got) {
			t.Errorf("%q", got)
		}
	})
}

func TestNegotiate(t *testing.T) {
	c := catalogue(t)
	for _, w := range []struct{ header, chosen, want string }{
		{"", "", "en"},
		{"ar-EG,ar;q=0.9", "", "ar"},
		{"es-MX,es;q=0.9,en;q=0.5", "", "es"},
		{"de,fr", "", "en"},
		{"es", "en", "en"},
		{"en", "klingon", "en"},
		{";;;", "", "en"},
	} {
		if got := c.Negotiate(w.header, w.chosen); got != w.want {
			t.Errorf("%q %q: %s, want %s", w.header, w.chosen, got, w.want)
		}
	}
}
