package security

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// long holds the rows about answers that are too long to be held: they leave
// while the rest is still fetched and judged.
func long() []kit.Row {
	needs := kit.Login | kit.Upstream
	return []kit.Row{
		{ID: "MANDATE LONG-01", Title: "a search of megabytes is whole: valid JSON to its end, each visible record once and no other", Needs: needs, Run: longWhole},
		{ID: "MANDATE LONG-02", Title: "the total of a page stands behind its entries or is left out, and counts what is visible", Needs: needs, Run: longTotal},
		{ID: "MANDATE LONG-03", Title: "a compressed answer is whole and says what the plain one says", Needs: needs, Run: longZipped},
	}
}

// So many long records the patient's app may see, and so many it may not.
const (
	longVisible = 40
	longHidden  = 6
	longQuery   = "Observation?code=http%3A%2F%2Fselftest.example%2Flong%7Clong"
)

// longRecord is an Observation of some 60 kB. Every second hidden one is about
// another patient, the others have a topic that nobody ticked.
func longRecord(w world, i int) map[string]any {
	r := note(w.me)
	label := map[string]any{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}
	switch {
	case i >= longVisible && i%2 == 0:
		r["subject"] = ref("Patient/" + w.other)
	case i >= longVisible:
		label = map[string]any{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}
	}
	r["id"], r["meta"] = fmt.Sprintf("selftest-long-%02d", i), map[string]any{"security": []any{label}}
	r["code"] = map[string]any{"coding": []any{map[string]any{"system": "http://selftest.example/long", "code": "long"}}}
	var text strings.Builder
	for n := 0; text.Len() < 60<<10; n++ {
		fmt.Fprintf(&text, "Line %d of record %d, \"quoted\" and with an é. ", n, i)
	}
	r["note"] = []any{map[string]any{"text": text.String()}}
	return r
}

// enterLong plants the records, hidden ones between visible ones.
func enterLong(ctx context.Context, t *kit.Target) (w world, leave func(), err error) {
	if w, err = enter(ctx, t, "patient/Patient.rs patient/Observation.rs"); err != nil {
		return w, nil, err
	}
	var removes []func()
	leave = func() {
		for _, remove := range removes {
			remove()
		}
	}
	for n := range longVisible + longHidden {
		remove, err := behindPut(ctx, t, longRecord(w, (n*7)%(longVisible+longHidden)))
		if err != nil {
			leave()
			return w, nil, err
		}
		removes = append(removes, remove)
	}
	behind, err := t.Behind(ctx, longQuery+"&_count=500")
	if err == nil && len(behind.Entries()) != longVisible+longHidden {
		err = fmt.Errorf("the server behind shows %d of %d records", len(behind.Entries()), longVisible+longHidden)
	}
	if err != nil {
		leave()
		return w, nil, err
	}
	return w, leave, nil
}

// memberNames gives the names of the members of a JSON object in their order. Errors:
// it does not end, or something follows.
func memberNames(body []byte) ([]string, error) {
	var names []string
	d := json.NewDecoder(bytes.NewReader(body))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, fmt.Errorf("no JSON object: %w", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		text, _ := name.(string)
		names = append(names, text)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return names, nil
}

// pagesOf gives the pages of a search, each of which must be a whole JSON object.
func (w world) pagesOf(ctx context.Context, c *kit.Check, query string) (pages []*kit.Response) {
	next := w.t.FHIRBase + "/" + query
	for range longVisible {
		res, err := w.t.Do(ctx, kit.Request{URL: next, Bearer: w.token})
		res = judge(c, res, err, http.StatusOK)
		names, err := memberNames(res.Body)
		if err != nil {
			c.Note(fmt.Errorf("%s: %d bytes: %w", query, len(res.Body), err))
			return pages
		}
		unique := slices.Clone(names)
		slices.Sort(unique)
		c.That(len(slices.Compact(unique)) == len(names), "%s: a member stands twice in %v", query, names)
		pages = append(pages, res)
		if next = res.Next(); next == "" {
			return pages
		}
	}
	c.That(false, "%s has more pages than records", query)
	return pages
}

func longWhole(ctx context.Context, t *kit.Target) error {
	w, leave, err := enterLong(ctx, t)
	if err != nil {
		return err
	}
	defer leave()
	var c kit.Check
	for _, query := range []string{longQuery + "&_count=500", longQuery + "&_count=15", longQuery + "&_count=500&patient=" + w.me} {
		seen, size := map[string]int{}, 0
		for _, page := range w.pagesOf(ctx, &c, query) {
			size += len(page.Body)
			for _, e := range page.Entries() {
				if e.Mode != "outcome" {
					seen[e.ID]++
				}
			}
		}
		c.That(size > longVisible*60<<10, "%s brings %d bytes", query, size)
		for i := range longVisible + longHidden {
			id, want := fmt.Sprintf("selftest-long-%02d", i), 1
			if i >= longVisible {
				want = 0
			}
			c.That(seen[id] == want, "%s brings %s %d times, not %d", query, id, seen[id], want)
			delete(seen, id)
		}
		c.That(len(seen) == 0, "%s brings what was not asked for: %v", query, seen)
	}
	return c.Err()
}

func longTotal(ctx context.Context, t *kit.Target) error {
	w, leave, err := enterLong(ctx, t)
	if err != nil {
		return err
	}
	defer leave()
	var c kit.Check
	for _, more := range []string{"&_count=500", "&_count=15", "&_count=15&_total=accurate", "&_count=500&_total=none", "&_summary=count"} {
		for _, page := range w.pagesOf(ctx, &c, longQuery+more) {
			total := page.Total()
			c.That(total == -1 || total == longVisible, "%s says %d, visible are %d", more, total, longVisible)
			names, err := memberNames(page.Body)
			c.Note(err)
			at, entries := slices.Index(names, "total"), slices.Index(names, "entry")
			c.That(at == -1 || at > entries, "%s: the total stands before the entries: %v", more, names)
		}
	}
	return c.Err()
}

// zipped asks for an answer under a value of Accept-Encoding.
func (w world) zipped(ctx context.Context, c *kit.Check, path, encoding string) *kit.Response {
	res, err := w.t.Do(ctx, kit.Request{URL: w.t.FHIRBase + "/" + path, Bearer: w.token, Header: http.Header{"Accept-Encoding": {encoding}}})
	return judge(c, res, err, http.StatusOK)
}

// unzipped gives the content of a compressed answer, which must end as it should.
func unzipped(res *kit.Response) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(res.Body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// content gives a Bundle without what is made anew for each answer.
func content(body []byte) string {
	var b map[string]json.RawMessage
	if json.Unmarshal(body, &b) != nil {
		return "no JSON"
	}
	if string(b["resourceType"]) != `"Bundle"` {
		return string(body)
	}
	return fmt.Sprintf("%s %s %s", b["type"], b["total"], b["entry"])
}

func longZipped(ctx context.Context, t *kit.Target) error {
	w, leave, err := enterLong(ctx, t)
	if err != nil {
		return err
	}
	defer leave()
	var c kit.Check
	for _, path := range []string{longQuery + "&_count=500", "Observation/selftest-long-00"} {
		plain, refused := w.zipped(ctx, &c, path, "identity"), w.zipped(ctx, &c, path, "gzip;q=0, identity")
		for _, res := range []*kit.Response{plain, refused} {
			c.That(res.Header.Get("Content-Encoding") == "", "%s is compressed for a client that does not take it", path)
		}
		res := w.zipped(ctx, &c, path, "gzip, identity;q=0.5")
		switch res.Header.Get("Content-Encoding") {
		case "gzip":
		case "":
			if err := c.Err(); err != nil {
				return err
			}
			return kit.Unmet{Why: "the server compresses nothing"}
		default:
			c.That(false, "%s comes in %q", path, res.Header.Get("Content-Encoding"))
			continue
		}
		c.That(strings.Contains(strings.ToLower(strings.Join(plain.Header.Values("Vary"), ",")), "accept-encoding"), "%s: Vary is %q", path, plain.Header.Values("Vary"))
		c.That(len(res.Body) < len(plain.Body), "%s: %d bytes compressed, %d plain", path, len(res.Body), len(plain.Body))
		body, err := unzipped(res)
		if !c.Note(err) {
			continue
		}
		c.That(content(body) == content(plain.Body), "%s: what was compressed (%d bytes) is not what comes plain (%d bytes)", path, len(body), len(plain.Body))
	}
	return c.Err()
}
