package directory

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
)

const ines = `{"id":"p1","externalId":"E-7","userName":"Ines","active":true,"displayName":"Ines Ruiz","name":{"familyName":"Ruiz"},
	"emails":[{"value":"ines@lakeside.example","type":"work","primary":true},{"value":"i@home.example","type":"home"}],
	"meta":{"lastModified":"2026-02-01T10:00:00Z"},"urn:mandate:scim:schemas:2.0:Staff":{"practitioner":"Practitioner/ines"}}`

func resource(t testing.TB) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(ines), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// RFC 7644 §3.4.2.2: each operator, precedence, groups, values of lists.
func TestFilters(t *testing.T) {
	for filter, want := range map[string]bool{
		`userName eq "INES"`: true, `username EQ "ines"`: true, `userName ne "ines"`: false, `externalId eq "e-7"`: false, `externalId eq "E-7"`: true,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "in"`: true, `userName ew "es"`: true, `displayName co "ruiz"`: true,
		`active eq true`: true, `active ne true`: false, `name.familyName eq "ruiz"`: true, `name.givenName pr`: false, `emails pr`: true,
		`emails eq "i@home.example"`: true, `emails.value co "@HOME"`: true, `emails.value ne "i@home.example"`: false,
		`emails[type eq "work" and value co "@lakeside"]`: true, `emails[type eq "work" and value co "@home"]`: false,
		`meta.lastModified gt "2026-01-31T00:00:00Z"`: true, `meta.lastModified le "2026-02-01T11:00:00+01:00"`: true,
		`meta.lastModified lt "2026-02-01T10:00:00Z"`: false, `meta.lastModified ge "2026-02-01T10:00:00Z"`: true,
		`userName eq "x" or userName eq "ines" and active eq true`: true, `(userName eq "x" or userName eq "ines") and active eq false`: false,
		`not (userName eq "x")`: true, `not(active eq true) or id eq "p1"`: true, `externalId eq null`: false, `name.givenName eq null`: true,
		`userName gt "a"`: true, `userName lt "a"`: false, `id eq "p1"`: true, `id eq "P1"`: false,
		`urn:mandate:scim:schemas:2.0:Staff:practitioner eq "Practitioner/ines"`: true,
	} {
		f, err := ParseFilter(Users(), filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if f.Match(resource(t)) != want {
			t.Errorf("%s: not %v", filter, want)
		}
		again, err := ParseFilter(Users(), f.String())
		if err != nil || again.String() != f.String() {
			t.Errorf("%s is told as %s: %v", filter, f, err)
		}
	}
}

// What is no filter is refused, and so is one that costs more than a directory asks.
func TestFiltersThatAreRefused(t *testing.T) {
	deep := strings.Repeat("(", maxDepth+1) + `id pr` + strings.Repeat(")", maxDepth+1)
	for _, filter := range []string{
		``, ` `, `userName`, `userName eq`, `userName eq x`, `userName is "x"`, `eq "x"`, `password eq "x"`, `name.secret eq "x"`, `title eq "x"`,
		`active eq "true"`, `active gt true`, `active co true`, `userName eq true`, `userName eq 7`, `meta.lastModified gt "yesterday"`,
		`meta.lastModified co "2026"`, `name eq "x"`, `userName eq "x`, `userName eq "\q"`, `(userName eq "x"`, `userName eq "x")`,
		`not userName eq "x"`, `userName eq "x" and`, `userName eq "x" xor id pr`, `emails[`, `emails[type eq "x"`, `emails[]`, `emails[nope pr]`,
		`userName[value pr]`, `emails[type eq "x"].value eq "y"`, `userName co null`, deep, strings.Repeat("not (", 50) + "id pr" + strings.Repeat(")", 50),
		`id pr` + strings.Repeat(` or id pr`, maxTerms), `userName eq "` + strings.Repeat("x", maxFilter) + `"`,
	} {
		if _, err := ParseFilter(Users(), filter); !errs.Is(err, errs.Invalid) || errs.As(err).Code != "scim-filter" {
			t.Errorf("%.60s: %v", filter, err)
		}
	}
}

// Filters that name one account are looked up, not searched for.
func TestFiltersThatNameOne(t *testing.T) {
	names := []string{"userName", "externalId", "id", "emails.value"}
	for filter, want := range map[string]string{
		`userName eq "a"`: "userName a", `active eq true and externalId eq "b"`: "externalId b", `emails eq "c"`: "emails.value c",
		`emails[type eq "work" and value eq "d"]`: "emails.value d", `userName eq "a" or id eq "b"`: " ", `not (id eq "a")`: " ", `userName sw "a"`: " ",
		`displayName eq "a"`: " ",
	} {
		f, err := ParseFilter(Users(), filter)
		if err != nil {
			t.Fatal(filter, err)
		}
		path, value, ok := f.pinned(names...)
		if !ok {
			path, value = "", ""
		}
		if path+" "+value != want {
			t.Errorf("%s: %s %s", filter, path, value)
		}
	}
}

// Whatever somebody sends is answered or refused; what is read is told so that it
// reads the same.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		`userName eq "x" and (emails[type eq "work"] or not (active eq true))`, `meta.created ge "2026-01-01T00:00:00Z"`, `a[b[c[`, `((((`, `"\u0000`, `emails[type eq "a"].value`,
	} {
		f.Add(seed)
	}
	have := resource(f)
	f.Fuzz(func(t *testing.T, text string) {
		if q, err := ParseFilter(Users(), text); err == nil {
			said := q.Match(have)
			again, err := ParseFilter(Users(), q.String())
			if err != nil && len(q.String()) <= maxFilter || err == nil && (again.String() != q.String() || again.Match(have) != said) {
				t.Fatalf("%q is told as %q: %v", text, q, err)
			}
		} else if errs.As(err).Code != "scim-filter" {
			t.Fatalf("%q: %v", text, err)
		}
		if p, err := ParsePath(Users(), text); err == nil && p.kept() {
			again, err := ParsePath(Users(), p.String())
			if err != nil && len(p.String()) <= maxFilter || err == nil && again.String() != p.String() {
				t.Fatalf("%q is told as %q: %v", text, p, err)
			}
		}
	})
}
