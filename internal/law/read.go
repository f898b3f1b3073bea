package law

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
)

// File is the text of one pack. Name is its path, for faults.
type File struct {
	Name string
	Text []byte
}

// maxFile is the largest file in bytes.
const maxFile = 1 << 20

var (
	placeForm = regexp.MustCompile(`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`)
	keyForm   = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9.-]{0,63}$`)
	labelForm = regexp.MustCompile(`^[A-Za-z0-9]{1,20}$`)
)

// Read reads one pack strictly. Errors: every fault at once, each with the file, the
// path and the reason.
func Read(f File) (Pack, error) {
	var p Pack
	if len(f.Text) > maxFile {
		return p, fmt.Errorf("%s: has more than %d bytes", f.Name, maxFile)
	}
	if err := strictjson.Check(f.Text); err != nil {
		return p, fmt.Errorf("%s: %s", f.Name, errs.As(err).Msg)
	}
	d := json.NewDecoder(bytes.NewReader(f.Text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("%s: %s", f.Name, reason(err))
	}
	j := judge{file: f.Name}
	j.head(p)
	j.rules(p)
	return p, errors.Join(j.faults...)
}

// reason says what a decoder did not understand, with the path where it knows one.
func reason(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s: is a %s", wrong.Field, wrong.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// judge collects the faults of one file.
type judge struct {
	file   string
	faults []error
}

func (j *judge) want(ok bool, path, format string, args ...any) {
	if !ok {
		j.faults = append(j.faults, fmt.Errorf("%s: %s: %s", j.file, path, fmt.Sprintf(format, args...)))
	}
}

func (j *judge) head(p Pack) {
	j.want(p.Format == Format, "format", "is %d; this program reads %d", p.Format, Format)
	j.want(placeForm.MatchString(p.Jurisdiction), "jurisdiction", "%q is no code such as US or US-CA", p.Jurisdiction)
	j.want(p.Inherits == "" || placeForm.MatchString(p.Inherits) && p.Inherits != p.Jurisdiction, "inherits", "%q is no other jurisdiction", p.Inherits)
	j.want(p.Version != "", "version", "is missing")
	j.want(p.Reviewed != "", "reviewed", `is missing; say who reviewed it and when, or "none"`)
}

// spans judges the days of rules of one kind: two of one key never hold at once.
func (j *judge) spans(kind string, rules []keyed) {
	for i, r := range rules {
		path := fmt.Sprintf("%s[%d]", kind, i)
		from, err := time.Parse(time.DateOnly, r.From)
		j.want(err == nil, path+".from", "%q is no day such as 2026-07-01", r.From)
		if r.Until != "" {
			until, bad := time.Parse(time.DateOnly, r.Until)
			j.want(bad == nil && (err != nil || until.After(from)), path+".until", "%q is no day after %q", r.Until, r.From)
		}
		j.want(strings.TrimSpace(r.Source) != "", path+".source", "is missing; say where the rule stands")
		for k, o := range rules[:i] {
			j.want(o.key != r.key || !o.meets(r.Span), path, "holds on days of %s[%d] too", kind, k)
		}
	}
}

func (j *judge) rules(p Pack) {
	for _, s := range sections(p) {
		j.spans(s.name, s.rules)
	}
	for i, r := range p.Ages {
		path := fmt.Sprintf("ages[%d]", i)
		j.want(r.Teen >= 1, path+".teen", "%d is no age", r.Teen)
		j.want(r.Adult > r.Teen && r.Adult <= 25, path+".adult", "%d is not between %d and 25", r.Adult, r.Teen+1)
		j.want(r.LeapDay == "02-28" || r.LeapDay == "03-01", path+".leap_day", "%q is not 02-28 or 03-01", r.LeapDay)
	}
	for i, r := range p.Signers {
		path := fmt.Sprintf("signers[%d]", i)
		j.want(r.Band == "teen", path+".band", "%q: only teen can be said", r.Band)
		j.want(slices.Equal(r.Sign, []string{"patient", "parent"}), path+".sign", `%q: only ["patient", "parent"] can be carried out`, r.Sign)
	}
	for i, r := range p.MinorTopics {
		path := fmt.Sprintf("minor_topics[%d]", i)
		j.topic(path, r.Topic)
		j.want(r.Age >= 0 && r.Age <= 25, path+".age", "%d is no age", r.Age)
	}
	for i, r := range p.Grounds {
		path := fmt.Sprintf("denial_grounds[%d]", i)
		j.want(keyForm.MatchString(r.ID), path+".id", "%q is no id", r.ID)
		j.want(r.Cite != "", path+".cite", "is missing")
		j.want(r.Text != "", path+".text", "is missing")
	}
	j.more(p)
}

func (j *judge) more(p Pack) {
	units := map[string]string{ClockDenial: "working-days", ClockCapacity: "days"}
	for i, r := range p.Clocks {
		path := fmt.Sprintf("clocks[%d]", i)
		j.want(units[r.Name] != "", path+".name", "%q is no clock", r.Name)
		j.want(units[r.Name] == "" || r.Unit == units[r.Name], path+".unit", "%q: this clock counts %s", r.Unit, units[r.Name])
		j.want(r.Days >= 1 && r.Days <= 365, path+".days", "%d is not between 1 and 365", r.Days)
	}
	for i, r := range p.Notices {
		path := fmt.Sprintf("notices[%d]", i)
		j.want(r.Name == NoticePart2, path+".name", "%q is no notice", r.Name)
		j.want(keyForm.MatchString(r.Key), path+".key", "%q is no key", r.Key)
		line := len(r.Text) > 0 && len(r.Text) <= 1000 && !strings.ContainsFunc(r.Text, func(c rune) bool { return c < ' ' || c > '~' })
		j.want(line, path+".text", "must be one line of ASCII of at most 1000 characters")
	}
	for i, r := range p.Topics {
		path := fmt.Sprintf("label_sets[%d]", i)
		j.topic(path, r.Topic)
		j.want(len(r.Labels) > 0, path+".labels", "is empty")
		for k, l := range r.Labels {
			j.want(labelForm.MatchString(l), fmt.Sprintf("%s.labels[%d]", path, k), "%q is no code", l)
			j.want(!slices.Contains(r.Labels[:k], l), fmt.Sprintf("%s.labels[%d]", path, k), "%q stands twice", l)
		}
	}
}

func (j *judge) topic(path, name string) {
	j.want(slices.Contains(TopicNames(), name), path+".topic", "%q is none of %s", name, strings.Join(TopicNames(), ", "))
}

// keyed is a rule with what must be unique on a day.
type keyed struct {
	Span
	key string
	// says tells the rule without its days.
	says string
	// least are numbers of which a lower one opens less.
	least []int
}

// section is the rules of one kind.
type section struct {
	name  string
	rules []keyed
}

// sections gives all rules of a pack, by kind in the order of the file.
func sections(p Pack) []section {
	return []section{
		{"ages", list(p.Ages, func(r Ages) keyed {
			return keyed{r.Span, "ages", fmt.Sprintf("teenager at %d, adult at %d, leap day %s", r.Teen, r.Adult, r.LeapDay), []int{r.Teen, r.Adult}}
		})},
		{"signers", list(p.Signers, func(r Signers) keyed { return keyed{r.Span, r.Band, "signed by " + strings.Join(r.Sign, " and "), nil} })},
		{"minor_topics", list(p.MinorTopics, func(r MinorTopic) keyed {
			return keyed{r.Span, r.Topic, fmt.Sprintf("the minor alone from age %d", r.Age), []int{r.Age}}
		})},
		{"denial_grounds", list(p.Grounds, func(r Ground) keyed { return keyed{r.Span, r.ID, r.Text + " (" + r.Cite + ")", nil} })},
		{"clocks", list(p.Clocks, func(r Clock) keyed { return keyed{r.Span, r.Name, fmt.Sprintf("%d %s", r.Days, r.Unit), []int{r.Days}} })},
		{"notices", list(p.Notices, func(r Notice) keyed { return keyed{r.Span, r.Name, r.Key + ": " + r.Text, nil} })},
		{"label_sets", list(p.Topics, func(r Topic) keyed { return keyed{r.Span, r.Topic, strings.Join(r.Labels, " "), nil} })},
	}
}

func list[T any](rules []T, f func(T) keyed) []keyed {
	out := make([]keyed, 0, len(rules))
	for _, r := range rules {
		out = append(out, f(r))
	}
	return out
}
