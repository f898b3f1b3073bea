package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/law"
)

// packFiles gives the packs that come with the program and those of the folder, by
// name.
func (c *LifeConfig) packFiles() ([]law.File, error) {
	files := law.Shipped()
	if c.LawPacks == "" {
		return files, nil
	}
	paths, err := filepath.Glob(filepath.Join(c.LawPacks, "*.json"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("%s: holds no pack (*.json)", c.LawPacks)
	}
	slices.Sort(paths)
	for _, path := range paths {
		f, err := packFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func packFile(path string) (law.File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return law.File{}, fmt.Errorf("the jurisdiction pack cannot be read: %w", err)
	}
	return law.File{Name: path, Text: text}, nil
}

// book reads all packs. Errors: every fault with its file, path and reason.
func (c *LifeConfig) book(more ...law.File) (*law.Book, error) {
	files, err := c.packFiles()
	if err != nil {
		return nil, err
	}
	book, err := law.Load(append(files, more...)...)
	if err != nil {
		return nil, err
	}
	for _, place := range book.Jurisdictions() {
		l, _ := book.Of(place, c.zone())
		if err := labelled(l); err != nil {
			return nil, err
		}
	}
	return book, nil
}

// labelled asks that the decision knows every label of a topic.
func labelled(l *law.Law) error {
	for i, t := range l.Topics {
		for k, code := range t.Labels {
			if !consent.KnownLabel(code) {
				return fmt.Errorf("%s: label_sets[%d].labels[%d]: %q is no label that the decision knows", l.Files[0], i, k, code)
			}
		}
	}
	return nil
}

// lawOf gives the law of the jurisdiction that is set: it must have ages. Errors name
// the packs there are.
func (c *LifeConfig) lawOf(book *law.Book) (*law.Law, error) {
	l, ok := book.Of(c.jurisdiction(), c.zone())
	if !ok {
		return nil, fmt.Errorf("%q has no pack; these have: %s", c.jurisdiction(), strings.Join(book.Jurisdictions(), ", "))
	}
	if len(l.Ages) == 0 || len(l.Grounds) == 0 {
		return nil, fmt.Errorf("the pack %s has no ages or no denial_grounds, of its own or inherited", c.jurisdiction())
	}
	return l, nil
}

// law gives the law in force. Errors: those of book and lawOf, which Validate has
// reported before.
func (c *LifeConfig) law() (*law.Law, error) {
	book, err := c.book()
	if err != nil {
		return nil, err
	}
	return c.lawOf(book)
}

// lawChecks tell which pack is in force, and whether a lawyer has looked at it.
func (d *doctor) lawChecks() []health.Check {
	return []health.Check{
		ask("law-pack", "which jurisdiction pack is in force, and who reviewed it", "have counsel check the pack, keep the checked copy in law_packs, and say so in reviewed; see docs/operations/proxies.md", func() health.Finding {
			l, err := d.cfg.law()
			if err != nil {
				return health.Fail("%v", err)
			}
			return health.Wish(l.Reviewed != "none", "%s, version %s, from %s; reviewed: %s. Its content needs a lawyer's review", l.Jurisdiction, l.Version, strings.Join(l.Files, ", "), l.Reviewed)
		}),
	}
}
