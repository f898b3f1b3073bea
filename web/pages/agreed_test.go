package pages

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/words"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// text gives what a page says, without its markup.
func text(body string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(body, " "))), " ")
}

func flat(lines []evidence.Line) (out []evidence.Line) {
	for _, l := range lines {
		out = append(append(out, l), flat(l.Lines)...)
	}
	return out
}

// RS-06: what is kept of a page is what the page said: every sentence of it stands on
// the page, in each language and with names of any script.
func TestWhatIsKeptWasShown(t *testing.T) {
	k := newKit(t)
	for _, l := range words.Languages() {
		for _, who := range []string{"Ann", "إلينا <Álvarez>"} {
			f := Frame{Lang: l.Code}
			share := Share{
				Frame: f, Who: who, Until: "2027-05-20", Kinds: []ShareChoice{{"medicines", true}, {"notes", false}},
				Functions: []ShareChoice{{"download", false}, {"message", true}},
			}
			running := share
			running.Running = true
			relation := ActField{Name: "relation", Kind: "select", Options: []Option{{Value: "FMRSPS", Label: "former spouse", Selected: true}}}
			end := time.Date(2027, 5, 20, 22, 0, 0, 0, time.UTC)
			seen := func(s Share) ShareSeen { return ShareSeen{Frame: f, Share: s, Until: end} }
			renew := ActField{Name: "choice", Kind: "select", Options: []Option{{Value: "same", Label: "S", Selected: true}, {Value: "stop", Label: "T"}}}
			for _, one := range []struct {
				p     Agreed
				pages []Page
			}{
				{seen(share), []Page{share, seen(share)}}, {seen(running), []Page{running, seen(running)}},
				{ProxyAct{Frame: f, Act: "revoke", Who: who, Fields: []ActField{{Name: "quiet", Kind: "check", Value: "yes"}}}, nil},
				{ProxyAct{Frame: f, Act: "renew", Who: who, Fields: []ActField{renew}, Leave: []ShareChoice{{"visits", true}}}, nil},
				{ProxyAct{Frame: f, Act: "cosign", Who: "x", Patient: who, Kinds: []string{"plans"}, Functions: []string{"refill"}, Until: end}, nil},
				{Block{Frame: f, Name: who, Email: "v@example.org", Who: relation}, nil},
			} {
				if one.pages == nil {
					one.pages = []Page{one.p}
				}
				var stands string
				for _, p := range one.pages {
					stands += " " + text(render(k, "/", p).Body.String())
				}
				shown := k.Shown(one.p)
				if shown.Language != l.Code || len(shown.Words) != 12 || len(shown.Lines) < 3 {
					t.Errorf("%+v", shown)
				}
				var ids []string
				for _, line := range flat(shown.Lines) {
					if line.Text == "" || !strings.Contains(stands, line.Text) {
						t.Errorf("%s %s: %q was not shown: %s", shown.Page, line.ID, line.Text, stands)
					}
					if slices.Contains(ids, line.ID) {
						t.Errorf("%s: %s twice", shown.Page, line.ID)
					}
					ids = append(ids, line.ID)
				}
			}
		}
	}
}
