package law

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"
)

//go:embed packs/*.json
var shipped embed.FS

// Shipped gives the packs that come with the program.
func Shipped() []File {
	// An embedded folder can be read.
	all, _ := shipped.ReadDir("packs")
	var out []File
	for _, e := range all {
		text, _ := shipped.ReadFile("packs/" + e.Name())
		out = append(out, File{Name: "shipped:" + e.Name(), Text: text})
	}
	return out
}

// Book is a set of packs, at most one for each jurisdiction.
type Book struct {
	packs map[string]entry
}

type entry struct {
	pack   Pack
	file   string
	digest string
}

// Load reads files in order: a pack replaces the whole of one of the same
// jurisdiction in an earlier file. Errors: every fault of every file at once.
func Load(files ...File) (*Book, error) {
	b := &Book{packs: map[string]entry{}}
	var faults []error
	for _, f := range files {
		p, err := Read(f)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		sum := sha256.Sum256(f.Text)
		b.packs[p.Jurisdiction] = entry{p, f.Name, hex.EncodeToString(sum[:6])}
	}
	if len(faults) == 0 {
		faults = b.bloodlines()
	}
	return b, errors.Join(faults...)
}

// bloodlines gives a fault for each pack that inherits from none, or from itself.
func (b *Book) bloodlines() (faults []error) {
	for _, place := range b.Jurisdictions() {
		e := b.packs[place]
		seen := []string{place}
		for up := e.pack.Inherits; up != ""; up = b.packs[up].pack.Inherits {
			if _, ok := b.packs[up]; !ok || slices.Contains(seen, up) {
				faults = append(faults, fmt.Errorf("%s: inherits: there is no pack %s above %s", e.file, up, place))
				break
			}
			seen = append(seen, up)
		}
	}
	return faults
}

// Jurisdictions lists those that have a pack, in order.
func (b *Book) Jurisdictions() []string {
	out := make([]string, 0, len(b.packs))
	for place := range b.packs {
		out = append(out, place)
	}
	slices.Sort(out)
	return out
}

// Of gives the law of a jurisdiction, with what it inherits; days begin in the zone,
// nil is UTC. ok is false when there is no pack.
func (b *Book) Of(jurisdiction string, zone *time.Location) (l *Law, ok bool) {
	e, ok := b.packs[jurisdiction]
	if !ok {
		return nil, false
	}
	l = &Law{Pack: e.pack, Version: e.pack.Version + "+" + e.digest, Files: []string{e.file}, zone: cmp.Or(zone, time.UTC)}
	for up := e.pack.Inherits; up != ""; {
		above := b.packs[up]
		l.Pack = under(l.Pack, above.pack)
		l.Version, l.Files, up = l.Version+"/"+above.digest, append(l.Files, above.file), above.pack.Inherits
	}
	return l, true
}

// under adds to a pack what it inherits: rules of keys that it does not speak of.
func under(p, above Pack) Pack {
	p.Ages = inherit(p.Ages, above.Ages, func(Ages) string { return "" })
	p.Signers = inherit(p.Signers, above.Signers, func(r Signers) string { return r.Band })
	p.MinorTopics = inherit(p.MinorTopics, above.MinorTopics, func(r MinorTopic) string { return r.Topic })
	p.Grounds = inherit(p.Grounds, above.Grounds, func(r Ground) string { return r.ID })
	p.Clocks = inherit(p.Clocks, above.Clocks, func(r Clock) string { return r.Name })
	p.Notices = inherit(p.Notices, above.Notices, func(r Notice) string { return r.Name })
	p.Topics = inherit(p.Topics, above.Topics, func(r Topic) string { return r.Topic })
	return p
}

func inherit[T any](own, above []T, key func(T) string) []T {
	out := slices.Clone(own)
	for _, r := range above {
		if !slices.ContainsFunc(own, func(o T) bool { return key(o) == key(r) }) {
			out = append(out, r)
		}
	}
	return out
}
