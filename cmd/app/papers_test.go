package app_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// sheet is a file that somebody sends.
type sheet struct {
	name, media string
	bytes       []byte
}

func pdf(text string) sheet {
	return sheet{"../order.exe", "text/html", []byte("%PDF-1.7\n" + text + "\n%%EOF\n")}
}

func photo(t *testing.T) sheet {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	return sheet{"photo.png", "image/png", b.Bytes()}
}

// parcel frames fields and files as a browser does, the token first.
func (s teller) parcel(token string, values url.Values, files ...sheet) (body []byte, media string) {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	put := func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	put(w.WriteField("csrf", token))
	for name, all := range values {
		for _, v := range all {
			put(w.WriteField(name, v))
		}
	}
	for _, f := range files {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="file"; filename=%q`, f.name))
		h.Set("Content-Type", f.media)
		part, err := w.CreatePart(h)
		put(err)
		_, err = part.Write(f.bytes)
		put(err)
	}
	put(w.Close())
	return b.Bytes(), w.FormDataContentType()
}

// sends fills the form with files on a page and sends it.
func (s teller) sends(b *kit.Browser, path string, values url.Values, files ...sheet) *kit.Response {
	s.t.Helper()
	s.open(s.t, b, path)
	page := s.proven(b, path)
	form := page.FormWith("file")
	if form == nil {
		s.t.Fatalf("no form for files (%d): %s", page.Status, page.Text())
	}
	body, media := s.parcel(form.Field("csrf").Value, values, files...)
	return s.posts(b, path, bytes.NewReader(body), media)
}

func (s teller) posts(b *kit.Browser, path string, body io.Reader, media string) *kit.Response {
	s.t.Helper()
	res, err := b.Raw(s.t.Context(), kit.Request{
		Method: http.MethodPost, URL: s.at(path), Body: body, Type: media,
		Header: http.Header{"Origin": {s.Issuer}, "Sec-Fetch-Site": {"same-origin"}, "Accept": {"text/html"}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.walk.posted(http.MethodPost, path, res.Status)
	return res
}

// fetches opens an address without following it.
func (s teller) fetches(b *kit.Browser, path string) *kit.Response {
	s.t.Helper()
	res, err := b.Raw(s.t.Context(), kit.Request{URL: s.at(path), Header: http.Header{"Accept": {"text/html"}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

var paperAt = regexp.MustCompile(`href="([^"]*/papers/[^"]+)"`)

// paperOf gives the address of the first file on a page.
func (s teller) paperOf(b *kit.Browser, path string) string {
	s.t.Helper()
	m := paperAt.FindStringSubmatch(string(s.fetches(b, path).Body))
	if m == nil {
		s.t.Fatalf("no file at %s", path)
	}
	return strings.TrimPrefix(m[1], s.Issuer)
}

// LC-04, LC-05, RS-05, SP-04: an agent puts in a picture of the paper, staff read and
// check it, and whoever put one in does not check; nobody else gets it.
func TestPapersOfAnAgent(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.clinicians()
	id, ann := s.listed(hale, "rosa", "Ann Alvarez", "ann")
	mine, theirs := "/helping/"+id+"/papers", "/staff/people/"+id+"/papers"
	kind := url.Values{"instrument": {"HPOWATT"}}
	s.says(s.open(t, ann, "/helping/"+id), "Put in or look at papers")
	s.badPapers(ann, mine, kind)

	if res := s.sends(ann, mine, kind, pdf("I name Ann"), photo(t)); res.Status != http.StatusSeeOther {
		t.Fatal(res)
	}
	s.says(s.open(t, ann, mine), "agent", "Save this file")
	s.says(s.open(t, hale, "/staff/people/"+id), "2 files", "Files put in")
	at := s.paperOf(ann, mine)
	s.handedOut(ann, at, "I name Ann")
	seen := s.paperOf(hale, theirs)
	s.handedOut(hale, seen, "I name Ann")
	// The patient, a stranger and an empty browser get nothing, nor the other's address.
	rosa := s.secured("rosa")
	for who, b := range map[string]*kit.Browser{"the patient": rosa, "a stranger": s.signedIn("joaquin"), "nobody": s.NewBrowser(kit.Person{})} {
		for _, address := range []string{at, seen, mine, theirs} {
			if res := s.fetches(b, address); res.Status < 300 || bytes.Contains(res.Body, []byte("I name Ann")) {
				t.Errorf("%s reads %s: %d", who, address, res.Status)
			}
		}
	}
	// What staff scan the agent does not see; who scanned does not check.
	s.proofedBy(hale, id)
	if res := s.sends(osei, theirs, kind, pdf("scanned")); res.Status != http.StatusSeeOther {
		t.Fatal(res)
	}
	if text := s.open(t, ann, mine).Text(); strings.Count(text, "Save this file") != 2 {
		t.Errorf("the agent sees what staff scanned: %s", text)
	}
	s.says(s.fill(hale, "/staff/people/"+id+"/attest", "yes", url.Values{"instrument": {"HPOWATT"}, "trigger": {"immediate"}}), "waits for a second person")
	s.says(s.checked(osei, "/staff/people/"+id), "Another person must do this one.")
	docs := string(s.admin(t, http.MethodGet, "/records?patient=rosa&type=DocumentReference", "", nil).Body)
	if strings.Count(docs, `"contentType"`) != 3 || strings.Contains(docs, "order.exe") {
		t.Errorf("documents: %s", docs)
	}
	if n := len(s.events(t, "patient=rosa&kind=fhir.read")); n < 2 {
		t.Errorf("%d looks at papers are recorded", n)
	}
}

// RS-08: the check of an authority names the files that whoever wrote it looked at, by
// the log, and not whatever was put in.
func TestACheckNamesTheFilesThatWereLookedAt(t *testing.T) {
	s := teller{start(t, nil), t}
	hale, osei := s.clinicians()
	id, ann := s.listed(hale, "rosa", "Ann Alvarez", "ann")
	s.proofedBy(hale, id)
	if res := s.sends(ann, "/helping/"+id+"/papers", url.Values{"instrument": {"HPOWATT"}}, pdf("page one"), photo(t)); res.Status != http.StatusSeeOther {
		t.Fatal(res)
	}
	at, authority := "/staff/people/"+id, "VerificationResult/case-"+id+"-authority"
	named := func(want ...string) {
		t.Helper()
		raw := string(s.looks(hale, authority).Body)
		var got []string
		for _, n := range []string{"1", "2"} {
			file := "DocumentReference/case-" + id + "-file-" + n
			if !strings.Contains(raw, `"`+file+`"`) {
				continue
			}
			got = append(got, n)
			if doc := s.looks(hale, file); doc.Status != http.StatusOK || !strings.Contains(string(doc.Body), `"Binary/`) {
				t.Errorf("%s: %d %s", file, doc.Status, doc.Body)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the check names the files %v, want %v: %s", got, want, raw)
		}
	}
	s.handedOut(hale, at+"/papers/case-"+id+"-file-1", "page one")
	s.fill(hale, at+"/attest", "yes", url.Values{"instrument": {"HPOWATT"}, "trigger": {"immediate"}})
	named("1")
	if res := s.fetches(osei, at+"/papers/case-"+id+"-file-2"); res.Status != http.StatusOK {
		t.Fatal(res)
	}
	s.checked(osei, at)
	named("2")
}

// badPapers tries what is refused, and says why.
func (s teller) badPapers(ann *kit.Browser, mine string, kind url.Values) {
	s.t.Helper()
	huge := pdf(strings.Repeat("x", 10<<20))
	for name, c := range map[string]struct {
		values url.Values
		files  []sheet
		says   string
	}{
		"no file":        {kind, nil, "Choose a file."},
		"a page":         {kind, []sheet{{"x.pdf", "application/pdf", []byte("<html>%PDF-1.7 %%EOF")}}, "not a PDF"},
		"half a picture": {kind, []sheet{{"x.png", "image/png", photo(s.t).bytes[:20]}}, "not a PDF"},
		"too large":      {kind, []sheet{huge}, "too large"},
		"far too large":  {kind, []sheet{huge, huge}, "too large"},
		"six":            {kind, []sheet{pdf("1"), pdf("2"), pdf("3"), pdf("4"), pdf("5"), pdf("6")}, "Five files"},
		"no kind":        {nil, []sheet{pdf("1")}, "Choose"},
	} {
		if res := s.sends(ann, mine, c.values, c.files...); res.Status != http.StatusBadRequest || !strings.Contains(kit.Text(res.Body), c.says) {
			s.t.Errorf("%s: %d %s", name, res.Status, kit.Text(res.Body))
		}
	}
	body, media := s.parcel("wrong", kind, pdf("1"))
	if res := s.posts(ann, mine, bytes.NewReader(body), media); res.Status != http.StatusForbidden {
		s.t.Errorf("without the token: %d", res.Status)
	}
	s.says(s.open(s.t, ann, mine), "There is no file yet.")
}

// handedOut wants a file as a download that no browser runs.
func (s teller) handedOut(b *kit.Browser, at, holds string) {
	s.t.Helper()
	res := s.fetches(b, at)
	h := res.Header
	if res.Status != http.StatusOK || !bytes.Contains(res.Body, []byte(holds)) || h.Get("Content-Type") != "application/pdf" ||
		h.Get("Content-Disposition") != `attachment; filename="paper-1.pdf"` || h.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("Cache-Control") != "no-store" {
		s.t.Errorf("%s: %d %v", at, res.Status, h)
	}
}

// signedIn is a browser of somebody who has signed in.
func (s teller) signedIn(username string) *kit.Browser {
	s.t.Helper()
	b := s.browser(username)
	s.open(s.t, b, "/home")
	return b
}
