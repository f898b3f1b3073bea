package pages

import (
	"embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

//go:embed templates/*.html
var templateFiles embed.FS

// parse builds the template set of one language: the components, and each page
// as the template that its file is named after.
func (k *Kit) parse(lang string) (*template.Template, error) {
	set, err := template.New(lang).Funcs(k.wording(lang)).Funcs(k.markup()).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, one := range set.Templates() {
		if one.Tree != nil {
			k.spellOut(lang, one.Tree.Root)
		}
	}
	return set, nil
}

// wording are the template functions that give words, bound to one language.
func (k *Kit) wording(lang string) template.FuncMap {
	c := k.deps.Words
	kind := func(r KindRef) string {
		return c.Kind(lang, words.Kind{Type: r.Type, Category: r.Category, Topic: r.Topic, Query: r.Query})
	}
	return template.FuncMap{
		"t":        func(key string, pairs ...any) (string, error) { return translate(c, lang, key, pairs) },
		"targs":    func(key string, args words.Args) string { return c.T(lang, key, args) },
		"date":     func(t time.Time) string { return c.Date(lang, k.local(t)) },
		"stamp":    func(t time.Time) string { return c.DateTime(lang, k.local(t)) },
		"born":     func(d string) string { return c.PartialDate(lang, d) },
		"as":       func(code, gender string) string { return c.As(lang, code, gender) },
		"relation": func(code string) string { return c.Relation(lang, code) },
		"why":      func(topic string) string { return c.TopicWhy(lang, topic) },
		"act":      func(a ActionRef) string { return c.Action(lang, a.Type, a.Verb) },
		"label":    func(l Labelled) string { return l.label(c, lang) },
		"labels": func(rows []ConsentKind) string {
			return c.List(lang, each(rows, func(r ConsentKind) string { return words.Inline(r.label(c, lang)) }))
		},
		"kindlist": func(refs []KindRef) []string { return distinct(each(refs, kind), c.Kind(lang, words.Kind{})) },
		"kinds": func(refs []KindRef, acts []ActionRef) string {
			items := distinct(each(refs, kind), c.Kind(lang, words.Kind{}))
			items = each(append(items, each(acts, func(a ActionRef) string { return c.Action(lang, a.Type, a.Verb) })...), words.Inline)
			if more := len(items) - mostListed; more > 1 {
				items = append(items[:mostListed], c.T(lang, "kinds.more", words.Args{"count": more}))
			}
			return c.List(lang, items)
		},
		"own":    func(v string) string { return c.Isolate(lang, v) },
		"comma":  func() string { return c.T(lang, "common.comma", nil) },
		"errkey": func(cause, kind string) string { return errorKey(c, cause, kind) },
	}
}

// markup are the template functions that build HTML values.
func (k *Kit) markup() template.FuncMap {
	return template.FuncMap{
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"nb":       func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
		"refs":     func(r ...KindRef) []KindRef { return r },
		"texts":    func(s ...string) []string { return s },
		"error":    func(f Frame, field string) *FieldError { return f.errorOf(field) },
		"initial":  initial,
		"sentence": words.Capital,
		"choiceid": choiceID,
		"tel":      telephone,
		"safehref": safeHref,
		"dict":     dict,
		"id":       fieldID,
	}
}

func each[T any](items []T, f func(T) string) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = f(item)
	}
	return out
}

// mostListed is how many kinds a sentence names before it counts the rest.
const mostListed = 8

// distinct names each label once; the label of what has no words of its own
// comes last.
func distinct(labels []string, other string) []string {
	out := make([]string, 0, len(labels))
	for _, l := range labels {
		if l != other && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	if slices.Contains(labels, other) {
		out = append(out, other)
	}
	return out
}

// local moves a time into the zone of the pages; a zero time stays zero.
func (k *Kit) local(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(k.deps.Zone)
}

// Labelled is a row of the consent page that words its own label.
type Labelled interface {
	label(c *words.Catalogue, lang string) string
}

func (k ConsentKind) label(c *words.Catalogue, lang string) string {
	if k.Label != "" {
		return k.Label
	}
	return c.Kind(lang, words.Kind{Type: k.Type, Category: k.Category, Topic: k.Topic, Query: k.Query})
}

func (g ConsentCategory) label(c *words.Catalogue, lang string) string {
	if g.Label != "" {
		return g.Label
	}
	return c.Category(lang, g.Type, g.Category)
}

func (a ConsentAction) label(c *words.Catalogue, lang string) string {
	if a.Label != "" {
		return a.Label
	}
	return c.Action(lang, a.Type, a.Verb)
}

// errorOf gives the first error of a field, or nil.
func (f Frame) errorOf(field string) *FieldError {
	for i := range f.Errors {
		if f.Errors[i].Field == field {
			return &f.Errors[i]
		}
	}
	return nil
}

// fieldID makes the HTML id of a form field.
func fieldID(name string) string { return "f-" + name }

// choiceID makes the id of the i-th choice. The first has the field's own id, so
// that the error summary can link to the list.
func choiceID(name string, i int) string {
	if i == 0 {
		return fieldID(name)
	}
	return fmt.Sprintf("%s-%d", fieldID(name), i)
}

// telephone keeps what a tel: link may hold.
func telephone(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '+' || (r >= '0' && r <= '9') {
			return r
		}
		return -1
	}, s)
}

// safeHref lets own paths, web addresses and the private schemes of native apps
// pass; html/template alone would refuse the last.
func safeHref(u string) template.URL {
	if strings.HasPrefix(u, "/") || FormTarget(u) != "" {
		return template.URL(u)
	}
	return "#"
}

// translate takes pairs name, value.
func translate(c *words.Catalogue, lang, key string, pairs []any) (string, error) {
	args, err := dict(pairs...)
	if err != nil {
		return "", err
	}
	return c.T(lang, key, args), nil
}

// dict makes a map of pairs name, value, to hand several values to a component.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: odd number of values")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: name %v is no string", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// initial is the letter shown for an app without a logo.
func initial(name string) string {
	for _, r := range name {
		return strings.ToUpper(string(r))
	}
	return ""
}
