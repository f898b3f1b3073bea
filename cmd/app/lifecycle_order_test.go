package app_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// FX-29: who is named first and who stands in begin at the same moment, at two nodes
// where the engine has nodes, over and over. Whoever was faster, in the end the first
// alone has access: the one who stands in was refused, or began and stepped back.
func TestTwoAgentsBeginAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		kek := "file:" + filepath.Join(t.TempDir(), "kek.json")
		node := func() teller {
			return teller{start(t, func(c *app.Config) {
				if c.Database = dsn; dsn != "" {
					c.Keys = kek
				}
			}), t}
		}
		one := node()
		two := one
		if dsn != "" {
			two = node()
		}
		hale, osei := one.clinicians()
		first, ann := one.agent(hale, osei, "Ann Alvarez", "ann", nil)
		second, bea := one.agent(hale, osei, "Bea Brook", "bea", url.Values{"place": {"1"}})
		one.says(one.fill(hale, "/staff/people/"+first+"/activate", "yes", nil), "Ann Alvarez helps Rosa Alvarez")
		refused, stepped := 0, 0
		for range 8 {
			one.fill(osei, "/staff/people/"+first+"/hold", "yes", url.Values{"ground": {"171.201"}})
			answers := atOnce(t,
				one.readied(hale, "/staff/people/"+first+"/release", nil),
				two.readied(osei, "/staff/people/"+second+"/activate", url.Values{"unavailable": {"yes"}}))
			one.says(answers[0], "Ann Alvarez helps Rosa Alvarez")
			switch text := answers[1].Text(); {
			case strings.Contains(text, "Somebody who is named before has access now."):
				refused++
			case strings.Contains(text, "Bea Brook"):
				stepped++
			default:
				t.Errorf("who stands in: %d %s", answers[1].Status, text)
			}
			if got := one.filed("rosa", "active", "proposed"); !slices.Equal(got["75783-1"], []string{"active"}) || !slices.Equal(got["75784-9"], []string{"proposed"}) {
				t.Errorf("what is in force: %v", got)
			}
			if !one.opens(ann) || one.opens(bea) {
				t.Error("the first does not have access alone")
			}
		}
		t.Logf("who stands in was refused %d times and stepped back %d times", refused, stepped)
	})
}

// readied opens the page of a step and gives what sends its form.
func (s teller) readied(b *kit.Browser, path string, values url.Values) func() (*kit.Page, error) {
	s.t.Helper()
	page := s.proven(b, path)
	i := slices.IndexFunc(page.Forms, func(f *kit.Form) bool { return f.Field("csrf") != nil && f.Button("yes") != nil })
	if i < 0 {
		s.t.Fatalf("no form at %s (%d): %s", path, page.Status, page.Text())
	}
	f := page.Forms[i]
	body := f.Values(f.Button("yes"))
	for name, list := range values {
		body[name] = list
	}
	return func() (*kit.Page, error) { return b.Post(s.t.Context(), f, body, "") }
}

// atOnce does several things at the same moment and wants no answer to be a fault of
// the server.
func atOnce(t *testing.T, acts ...func() (*kit.Page, error)) []*kit.Page {
	t.Helper()
	out, errors := make([]*kit.Page, len(acts)), make([]error, len(acts))
	var all sync.WaitGroup
	ready := make(chan struct{})
	for i, act := range acts {
		all.Go(func() {
			<-ready
			out[i], errors[i] = act()
		})
	}
	close(ready)
	all.Wait()
	for i := range acts {
		if errors[i] != nil || out[i].Status >= http.StatusInternalServerError {
			t.Fatalf("%v %+v", errors[i], out[i])
		}
	}
	return out
}
