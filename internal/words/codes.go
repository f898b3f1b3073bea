package words

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Relation gives the word for a relationship code of v3-RoleCode or v2-0131
// such as DAUC: "daughter", "hija". An unknown code gives "authorised person"
// in plain words.
func (c *Catalogue) Relation(lang, code string) string {
	if c.Has("relation." + code) {
		return c.T(lang, "relation."+code, nil)
	}
	return c.T(lang, "relation.other", nil)
}

// As gives "as her daughter"; gender is the patient's FHIR gender and chooses
// the pronoun. With another or no gender it gives "as daughter".
func (c *Catalogue) As(lang, code, gender string) string {
	key := "as.any"
	if gender == "female" || gender == "male" {
		key = "as." + gender
	}
	return c.T(lang, key, Args{"relation": c.Relation(lang, code)})
}

// Kind names a kind of data.
type Kind struct {
	// Type is a FHIR type or "*"; empty with a Topic means any type.
	Type string
	// Category is an Observation or Condition category code; it narrows Type.
	Category string
	// Topic is a sensitivity code of v3-ActCode such as PSY.
	Topic string
	// Query: narrowed by a query that has no words of its own.
	Query bool
}

// Kind gives the plain label of a kind: "Medicines", "Test results: laboratory",
// "Some of: medicines" (SMART SCP-30). It never shows a code.
func (c *Catalogue) Kind(lang string, k Kind) string {
	label := c.typeLabel(lang, k.Type)
	if k.Category != "" {
		if key := categoryKey(k.Type, k.Category); c.Has(key) {
			label = c.T(lang, key, nil)
		} else {
			k.Query = true
		}
	}
	if k.Topic != "" {
		topic := c.Topic(lang, k.Topic)
		if k.Type == "" {
			label = topic
		} else {
			label = c.T(lang, "kind.with_topic", Args{"kind": label, "topic": Inline(topic)})
		}
	}
	if k.Query {
		label = c.T(lang, "kind.some", Args{"kind": Inline(label)})
	}
	return label
}

func (c *Catalogue) typeLabel(lang, typ string) string {
	if c.Has("kind." + typ) {
		return c.T(lang, "kind."+typ, nil)
	}
	return c.T(lang, "kind.other", nil)
}

// Category gives the plain label of one category of a type, for the list below
// a kind. An unknown code gives the general text for queries.
func (c *Catalogue) Category(lang, typ, code string) string {
	if key := categoryKey(typ, code); c.Has(key) {
		return c.T(lang, key, nil)
	}
	return c.T(lang, "category.other", nil)
}

func categoryKey(typ, code string) string { return "category." + typ + "." + code }

// Topic gives the words for a sensitivity code; all codes of one subject have
// the same words, and an unknown code gives "Other specially protected data".
func (c *Catalogue) Topic(lang, code string) string {
	return c.T(lang, "topic."+topicGroup(code), nil)
}

// TopicWhy gives the sentence that says why a subject is specially protected.
func (c *Catalogue) TopicWhy(lang, code string) string {
	if code == "" {
		return c.T(lang, "topic.why", nil)
	}
	return c.T(lang, "topic.why."+topicGroup(code), nil)
}

func topicGroup(code string) string {
	groups := map[string][]string{
		"mental":    {"MH", "PSY", "BH", "COGN", "DVD", "EMOTDIS", "PSYTHPN", "HIPAAPsyNotes"},
		"substance": {"SUD", "ETH", "ETHUD", "OPIOIDUD", "42CFRPart2"},
		"hiv":       {"HIV"},
		"sexual":    {"SEX", "STD", "PREGNANT"},
		"violence":  {"SDV", "VIO"},
		"genetics":  {"GDIS"},
		"young":     {"ADOL"},
	}
	for name, codes := range groups {
		if slices.Contains(codes, code) {
			return name
		}
	}
	return "other"
}

// Action gives the plain label of an act beyond reading: verb is create,
// update, delete or write (all of them).
func (c *Catalogue) Action(lang, typ, verb string) string {
	if key := "action." + typ + "." + verb; c.Has(key) {
		return c.T(lang, key, nil)
	}
	if !c.Has("action.any." + verb) {
		verb = "write"
	}
	return c.T(lang, "action.any."+verb, Args{"kind": Inline(c.typeLabel(lang, typ))})
}

// Inline makes a label fit inside a sentence: its first letter becomes small
// unless the word is an abbreviation such as HIV.
func Inline(label string) string {
	first, size := utf8.DecodeRuneInString(label)
	second, _ := utf8.DecodeRuneInString(label[size:])
	if unicode.IsUpper(second) {
		return label
	}
	return string(unicode.ToLower(first)) + label[size:]
}

// ScopeParts is a scope as plain parts, so that words needs no grammar.
type ScopeParts struct {
	// Name is the literal text of a scope that is not clinical: openid,
	// fhirUser, launch/patient, offline_access …; empty for a clinical one.
	Name string
	// Level is patient, user or system.
	Level string
	// Ops are letters of "cruds".
	Ops  string
	Kind Kind
}

// Scope gives a short and a long sentence for one scope, without codes
// (SMART SCP-30). What has no words of its own gets safe general ones.
func (c *Catalogue) Scope(lang string, s ScopeParts) (short, long string) {
	if s.Name != "" {
		name := strings.NewReplacer("/", "_").Replace(s.Name)
		if !c.Has("scope." + name + ".short") {
			name = "other"
		}
		return c.T(lang, "scope."+name+".short", nil), c.T(lang, "scope."+name+".long", nil)
	}
	args := Args{"kind": Inline(c.Kind(lang, s.Kind)), "verbs": c.List(lang, c.verbs(lang, s.Ops))}
	short = Capital(c.T(lang, "scope.clinical.short", args))
	level := s.Level
	if !c.Has("scope.clinical.long." + level) {
		level = "patient"
	}
	long = c.T(lang, "scope.clinical.long."+level, args)
	if s.Kind.Type == "*" {
		long += " " + c.T(lang, "scope.clinical.all", nil)
	}
	return short, long
}

func (c *Catalogue) verbs(lang, ops string) []string {
	var out []string
	for _, v := range []struct{ letters, key string }{
		{"rs", "verb.see"}, {"c", "verb.add"}, {"u", "verb.change"}, {"d", "verb.delete"},
	} {
		if strings.ContainsAny(ops, v.letters) {
			out = append(out, c.T(lang, v.key, nil))
		}
	}
	return out
}

// Capital makes the first letter of a sentence large.
func Capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}
