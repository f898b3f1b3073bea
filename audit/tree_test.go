package audit

import (
	"encoding/binary"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/fhir"
)

// The frontier is the tree of RFC 6962 at every size, and keeps the hashes at
// every eighth height.
func TestFrontierIsTheTree(t *testing.T) {
	var stored []Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		out := make([]Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	var f frontier
	kept := 0
	for n := range int64(70_000) {
		var text [8]byte
		binary.BigEndian.PutUint64(text[:], uint64(n))
		leaf := tlog.RecordHash(text[:])
		more, err := tlog.StoredHashesForRecordHash(n, leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
		for _, k := range f.add(leaf) {
			kept++
			if want := stored[tlog.StoredHashIndex(k.Level, k.N)]; k.Hash != want || k.Level%8 != 0 {
				t.Fatalf("kept %d/%d is not the tree's", k.Level, k.N)
			}
		}
		if n > 600 && n%4099 != 0 {
			continue
		}
		want, err := tlog.TreeHash(n+1, reader)
		if err != nil || f.root() != want {
			t.Fatalf("size %d: another root", n+1)
		}
		loaded, err := loadFrontier(reader, n+1)
		if err != nil || !reflect.DeepEqual(loaded, f.clone()) {
			t.Fatalf("size %d: another frontier, %v", n+1, err)
		}
	}
	if want := 70_000/256 + 70_000/65_536; kept != want {
		t.Errorf("%d hashes kept, want %d", kept, want)
	}
}

// A leaf commits to these very bytes: changing them makes every log of the
// past look tampered with.
func TestCanonicalForm(t *testing.T) {
	e := Event{ID: "e1", Tenant: "default", Time: time.Date(2026, 11, 10, 18, 22, 40, 1000, time.UTC), Kind: FHIRRead, Action: "R",
		Outcome: Success, Reason: "why", PersonID: "p", ClientID: "c", SessionID: "s", Patient: "rosa", RequestID: "r", GrantID: "g",
		Resource: fhir.Reference{Type: "Observation", ID: "o1"}, ResourceVersion: "3", Query: "a=b", Delivered: []string{"Observation/o1"}, Count: 1,
		Consents: []string{"Consent/c/_history/1"}, TokenID: "jti", Network: "192.0.2.1", Detail: map[string]string{"b": "2", "a": "<1>"},
		Capacity: fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa", Purpose: "PATRQT", Relationship: "ONESELF"}}
	header, err := e.header()
	if err != nil {
		t.Fatal(err)
	}
	body, err := e.body()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"tenant":"default","id":"e1","time_us":1794334960000001,"kind":"fhir.read","action":"R","outcome":"0","reason":"why","person":"p","client":"c","session":"s","patient":"rosa","resource":"Observation/o1","grant":"g","request":"r"}`; string(header) != want {
		t.Errorf("header\n%s\n%s", header, want)
	}
	if want := `{"capacity":{"kind":"self","acting":"Patient/rosa","patient":"rosa","purpose":"PATRQT","relationship":"ONESELF"},"resource_version":"3","query":"a=b","delivered":["Observation/o1"],"count":1,"consents":["Consent/c/_history/1"],"jti":"jti","network":"192.0.2.1","detail":{"a":"\u003c1\u003e","b":"2"}}`; string(body) != want {
		t.Errorf("body\n%s\n%s", body, want)
	}
	back, err := ReadCanonical(header, body)
	if err != nil || !reflect.DeepEqual(back, e) {
		t.Errorf("%v\n%+v\n%+v", err, back, e)
	}
	salt := []byte("0123456789abcdef")
	if got := leafHash(7, headerCommitment(salt, header), bodyCommitment(salt, body)).String(); got != goldenLeaf {
		t.Errorf("leaf %s", got)
	}
	if headerCommitment(salt, header) == bodyCommitment(salt, header) {
		t.Error("the two parts can be taken for one another")
	}
}

const goldenLeaf = "cKFbmW4U/r/Iijy4rfEuy2IvrkzxNTsmw7dXUgDKTMM="

// A field that is added to Event and forgotten in the canonical form could be
// changed unseen.
func TestNoFieldIsForgotten(t *testing.T) {
	fields := reflect.TypeFor[headerForm]().NumField() + reflect.TypeFor[bodyForm]().NumField()
	if n := reflect.TypeFor[Event]().NumField(); n != fields {
		t.Errorf("an event has %d fields, its canonical form %d", n, fields)
	}
	if n, m := reflect.TypeFor[fhir.Capacity]().NumField(), reflect.TypeFor[capacityForm]().NumField(); n != m {
		t.Errorf("a capacity has %d fields, its canonical form %d", n, m)
	}
}

// Each kind has a class; one that is new here is kept as long as an access.
func TestClasses(t *testing.T) {
	for kind, want := range map[Kind]Class{FHIRRead: ClassAccess, GrantCreated: ClassAccess, TokenIssued: ClassSecurity, KeyChanged: ClassAdministration, AuditErased: ClassAudit, "new.kind": ClassAccess} {
		if got := ClassOf(kind); got != want {
			t.Errorf("%s is of class %s", kind, got)
		}
	}
}

// Checkpoints are read only with the key that signed them, to the last byte.
func TestCheckpoints(t *testing.T) {
	key := func(tenant string) *LogKeys {
		k, err := OpenLogKeys(t.Context(), secrets{}, noIDs(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := key("default")
	root := tlog.RecordHash([]byte("x"))
	signed, err := k.sign(12, root, time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ReadCheckpoint(signed, k.VerifierKey+"\n")
	if err != nil || c.Size != 12 || c.Root != root || c.Origin != "mandate-audit/default" || c.Time.Hour() != 12 {
		t.Fatalf("%+v %v", c, err)
	}
	if _, err := ReadCheckpoint(signed, key("other").VerifierKey); err == nil {
		t.Error("another log's key read it")
	}
	if _, err := ReadCheckpoint(signed, "no key"); err == nil {
		t.Error("no key read it")
	}
	rapid.Check(t, func(rt *rapid.T) {
		i := rapid.IntRange(0, len(signed)-1).Draw(rt, "byte")
		spoilt := append([]byte(nil), signed...)
		spoilt[i] ^= 1
		if got, err := ReadCheckpoint(spoilt, k.VerifierKey); err == nil && (got.Size != c.Size || got.Root != c.Root) {
			rt.Fatalf("byte %d: %+v", i, got)
		}
	})
	if string(k.Salt(time.Time{}, "a")) == string(k.Salt(time.Time{}, "b")) {
		t.Error("salts repeat")
	}
}

// A proof that was touched anywhere does not hold.
func TestATouchedProofFails(t *testing.T) {
	k, err := OpenLogKeys(t.Context(), secrets{}, noIDs(), "default")
	if err != nil {
		t.Fatal(err)
	}
	e := Event{ID: "e1", Tenant: "default", Time: time.Unix(5, 0), Kind: LoggedOut}
	header, _ := e.header()
	body, _ := e.body()
	salt := k.Salt(e.Time, e.ID)
	leaf := leafHash(0, headerCommitment(salt, header), bodyCommitment(salt, body))
	f := frontier{}
	f.add(leaf)
	sibling := tlog.RecordHash(nil)
	f.add(sibling)
	signed, err := k.sign(2, f.root(), time.Unix(9, 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	good := Inclusion{Tenant: "default", ID: "e1", Leaf: leaf, Salt: salt, Header: header, Body: body, Proof: []Hash{sibling}, Checkpoint: string(signed)}
	if err := good.Check(k.VerifierKey); err != nil {
		t.Fatal(err)
	}
	for name, touch := range map[string]func(p *Inclusion){
		"place":   func(p *Inclusion) { p.Seq = 1 },
		"id":      func(p *Inclusion) { p.ID = "e2" },
		"header":  func(p *Inclusion) { p.Header = json.RawMessage(`{"id":"e1","tenant":"default"}`) },
		"body":    func(p *Inclusion) { p.Body = json.RawMessage(`{"count":1}`) },
		"salt":    func(p *Inclusion) { p.Salt = []byte("x") },
		"leaf":    func(p *Inclusion) { p.Leaf = sibling },
		"proof":   func(p *Inclusion) { p.Proof = []Hash{leaf} },
		"shorter": func(p *Inclusion) { p.Proof = nil },
	} {
		p := good
		touch(&p)
		if p.Check(k.VerifierKey) == nil {
			t.Errorf("%s: still holds", name)
		}
	}
}

// A record of an erasure covers what it names and nothing else.
func TestErasuresCover(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	old := Event{Kind: FHIRRead, Patient: "rosa", Time: at.Add(-time.Hour)}
	young, other, login, look := old, old, old, old
	young.Time, other.Patient, login.Kind, look.Kind = at.Add(2*time.Hour), "ines", LoginFailed, AuditRead
	aged := readErasures([]Event{Erasure("t", ClassAccess, at, at), {Kind: AuditRead}})
	shredded := readErasures([]Event{Shredding("t", "rosa", at.Add(time.Hour), at)})
	for name, c := range map[string]struct{ got, want bool }{
		"aged": {aged[0].covers(old), true}, "aged, any patient": {aged[0].covers(other), true}, "too young": {aged[0].covers(young), false},
		"another class": {aged[0].covers(login), false}, "the log itself": {aged[0].covers(look), false},
		"shredded": {shredded[0].covers(old), true}, "shredded, every kind": {shredded[0].covers(look), true},
		"another patient": {shredded[0].covers(other), false}, "after the key": {shredded[0].covers(young), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	if len(aged) != 1 {
		t.Error("any event records an erasure")
	}
}
