package app_test

import (
	"bytes"
	"compress/zlib"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

const sharedScope = "launch/patient openid fhirUser patient/MedicationRequest.rs patient/Patient.rs"

// kept presses the button of the first entry of a list and gives which it was.
func (s teller) kept(b *kit.Browser, path, answer string) string {
	s.t.Helper()
	page := s.proven(b, path)
	for _, f := range page.Forms {
		if f.Field("item") == nil || f.Button(answer) == nil {
			continue
		}
		item := f.Field("item").Value
		if p, err := b.Submit(s.t.Context(), f, f.Button(answer), ""); err != nil || p.Status != http.StatusOK {
			s.t.Fatal(p.Status, err)
		}
		return item
	}
	s.t.Fatalf("nothing to %s in %s", answer, page.Text())
	return ""
}

// FX-12, FX-22, TF-17: what a patient keeps to herself is hidden at once from
// those who have access, from those who get it later, and from what a preview
// promises; undone, it is there again.
func TestAnEntryIsKeptPrivate(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	s.letIn(rosa, hale, bea)
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: sharedScope, Visit: kit.Visit{Browser: bea.b, Patient: "Rosa Alvarez"}})
	before := s.fetch(t, g.Access(), "MedicationRequest?patient=rosa&_count=100", http.StatusOK).Total()

	hidden := ""
	for hidden == "" {
		item := s.kept(rosa, "/record/medicines?private=1", "keep")
		if res := s.fhir(t, g.Access(), item); res.Status == http.StatusOK {
			t.Fatalf("%s is still read: %s", item, res)
		}
		if s.fetch(t, g.Access(), "MedicationRequest?patient=rosa&_count=100", http.StatusOK).Total() == before-1 {
			hidden = item
		}
	}
	missing := s.fhir(t, g.Access(), "MedicationRequest/no-such-id")
	if res := s.fhir(t, g.Access(), hidden); res.Status != missing.Status {
		t.Errorf("a kept entry answers %d, a missing one %d", res.Status, missing.Status)
	}
	s.says(s.proven(rosa, "/record/medicines?private=1"), "You keep this to yourself.")
	own := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: sharedScope, Visit: kit.Visit{Browser: rosa, Patient: "rosa"}})
	s.fetch(t, own.Access(), hidden, http.StatusOK)

	// A new grant does not open it, and its preview does not promise it.
	cal := &twin{name: "Cal Crane", email: "cal@example.org", username: "calcrane"}
	s.letIn(rosa, hale, cal)
	later := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: sharedScope, Visit: kit.Visit{Browser: cal.b, Patient: "Rosa Alvarez"}})
	if res := s.fhir(t, later.Access(), hidden); res.Status == http.StatusOK {
		t.Errorf("a later grant opens a kept entry: %s", res)
	}
	// Somebody else keeps nothing of hers.
	noah := s.browser("noah")
	form := s.open(t, noah, "/record/medicines").FormWith("item")
	if p, err := noah.Post(t.Context(), form, url.Values{"csrf": {form.Field("csrf").Value}, "item": {hidden}, "answer": {"keep"}}, ""); err != nil || p.Status != http.StatusNotFound {
		t.Errorf("%v %v", p.Status, err)
	}
	s.forward(t, time.Minute)
	s.open(t, rosa, "/home")
	page := s.proven(rosa, "/record/medicines?private=1")
	for _, f := range page.Forms {
		if f.Field("item") != nil && f.Field("item").Value == hidden {
			if _, err := rosa.Submit(t.Context(), f, f.Button("share"), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.fetch(t, later.Access(), hidden, http.StatusOK)
}

// drawn gives the text of a PDF's streams.
func drawn(t *testing.T, pdf []byte) string {
	t.Helper()
	var out strings.Builder
	for _, part := range bytes.Split(pdf, []byte("stream\n"))[1:] {
		if r, err := zlib.NewReader(bytes.NewReader(part)); err == nil {
			text, _ := io.ReadAll(r)
			out.Write(text)
		}
	}
	return out.String()
}

// asked lets somebody ask for a copy and gives the address of the ticket.
func (s teller) asked(b *kit.Browser, path, answer string, more url.Values) string {
	s.t.Helper()
	f := s.proven(b, path).FormWith("csrf")
	for _, x := range s.proven(b, path).Forms {
		if x.Button(answer) != nil {
			f = x
		}
	}
	body := f.Values(f.Button(answer))
	for k, v := range more {
		body[k] = v
	}
	res, err := b.Raw(s.t.Context(), kit.Request{
		URL: f.Action, Form: body, Header: http.Header{"Origin": {s.Issuer}, "Sec-Fetch-Site": {"same-origin"}},
	})
	if err != nil || res.Status != http.StatusSeeOther {
		s.t.Fatalf("no ticket: %v %v", res, err)
	}
	return res.Header.Get("Location")
}

func (s teller) ticket(b *kit.Browser, at string) *kit.Response {
	s.t.Helper()
	res, err := b.Raw(s.t.Context(), kit.Request{URL: s.at(at)})
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

// SP-17, SP-19, SP-20, AU-13: a copy is fetched once, within a minute, in the
// session that asked; its number leads to its event.
func TestCopiesAreFetchedOnceAndTraced(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa := s.secured("rosa")
	at := s.asked(rosa, "/record/medicines/copy", "pdf", nil)
	other := s.browser("noah")
	s.open(t, other, "/home")
	for who, b := range map[string]*kit.Browser{"nobody": s.NewBrowser(kit.Person{}), "somebody else": other} {
		if res := s.ticket(b, at); res.Status != http.StatusUnauthorized {
			t.Errorf("%s gets %d", who, res.Status)
		}
	}
	res := s.ticket(rosa, at)
	if res.Status != http.StatusOK || res.Header.Get("Content-Type") != "application/pdf" || !strings.Contains(res.Header.Get("Cache-Control"), "no-store") || !bytes.HasPrefix(res.Body, []byte("%PDF-")) {
		t.Fatal(res, res.Header)
	}
	if again := s.ticket(rosa, at); again.Status != http.StatusGone {
		t.Errorf("used twice: %d", again.Status)
	}
	if len(drawn(t, res.Body)) < 2000 {
		t.Errorf("the PDF says %d bytes", len(drawn(t, res.Body)))
	}
	events := s.events(t, "patient=rosa&kind=record.copied")
	if len(events) != 1 || events[0].Detail["kind"] != "medicines" || events[0].Detail["act"] != "pdf" {
		t.Fatalf("%+v", events)
	}
	s.says(s.open(t, rosa, "/activity"), "took a copy of")

	printed := s.ticket(rosa, s.asked(rosa, "/record/medicines/copy", "print", nil))
	m := regexp.MustCompile(`Number ((?:[0-9a-f]{4}-){7}[0-9a-f]{4})`).FindSubmatch(printed.Body)
	if printed.Status != http.StatusOK || m == nil || !bytes.Contains(printed.Body, []byte("Copy for Rosa Alvarez")) {
		t.Fatalf("%d: %s", printed.Status, printed.Body)
	}
	code, out, fault := cli(t, "watermark", "lookup", string(m[1]), "--data", s.data)
	if code != 0 {
		t.Fatal(code, fault)
	}
	for _, want := range []string{strings.ReplaceAll(string(m[1]), "-", ""), "Rosa Alvarez (account rosa)", "Patient/rosa: medicines", "print"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in %s", want, out)
		}
	}

	late := s.asked(rosa, "/record/medicines/copy", "pdf", nil)
	s.forward(t, 61*time.Second)
	if res := s.ticket(rosa, late); res.Status != http.StatusGone {
		t.Errorf("a minute later: %d", res.Status)
	}
	// A proof of before is not enough (SP-20).
	s.forward(t, 6*time.Minute)
	if p := s.open(t, rosa, "/record/medicines/copy"); p.FormWith("code") == nil {
		t.Errorf("a copy without a fresh proof: %s", p.Text())
	}
}

// TF-05, TF-08: who may only look gets no copy; who may, gets what the decision
// opens, until the access ends: that kills a ticket that waits.
func TestHelpersCopyWhatTheyMay(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	s.letIn(rosa, hale, bea)
	of := "/copies/of/" + bea.id
	if p := s.proven(bea.b, of); p.Status != http.StatusForbidden {
		t.Errorf("a copy for who may only look: %d %s", p.Status, p.Text())
	}
	until := s.Now().AddDate(0, 6, 0).Format(time.DateOnly)
	look := s.fill(rosa, "/people/"+bea.id+"/share", "look", url.Values{"kind": {"medicines"}, "fn": {"download"}, "until": {until}})
	s.says(s.press(rosa, look, "yes", nil), "Bea Brook has access until")
	s.says(s.proven(bea.b, "/helping/"+bea.id), "Save or print a copy")
	s.says(s.fill(rosa, "/contact", "", url.Values{"tell-" + bea.id: {"downloads"}}), "Saved.")
	res := s.ticket(bea.b, s.asked(bea.b, of, "print", url.Values{"kind": {"medicines"}}))
	if res.Status != http.StatusOK || !bytes.Contains(res.Body, []byte("Copy for Bea Brook")) || bytes.Count(res.Body, []byte("<dt>")) < 20 {
		t.Errorf("%d: %s", res.Status, res.Body)
	}
	if res := s.ticket(bea.b, s.asked(bea.b, of, "print", url.Values{"kind": {"results"}})); bytes.Contains(res.Body, []byte("<dt>")) {
		t.Errorf("kinds that were not shared are copied: %s", res.Body)
	}
	s.says(s.open(t, rosa, "/activity"), "Bea Brook", "took a copy of")
	s.awaited(rosa, "/messages", "Bea Brook saved or printed") // SP-15
	waits := s.asked(bea.b, of, "pdf", url.Values{"kind": {"medicines"}})
	s.says(s.straight(rosa, "/people/"+bea.id+"/revoke"), "You ended the access of Bea Brook.")
	if res := s.ticket(bea.b, waits); res.Status != http.StatusGone {
		t.Errorf("a ticket outlives the access: %d", res.Status)
	}
}
