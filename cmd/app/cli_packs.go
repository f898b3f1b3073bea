package app

import (
	"cmp"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/mandate-health/mandate/internal/law"
)

// packsCommand looks after jurisdiction packs. It needs no store.
type packsCommand struct {
	List  packsList  `cmd:"" help:"List the packs with version, file and who reviewed them."`
	Show  packsShow  `cmd:"" help:"Print what holds in a jurisdiction, with what it inherits."`
	Check packsCheck `cmd:"" help:"Check a file as the server would at its start."`
	Diff  packsDiff  `cmd:"" help:"Tell what a file would change: what narrows holds at once, what widens holds for new agreements only."`
}

// packsIn says where packs are.
type packsIn struct {
	LawPacks string `name:"law-packs" help:"Folder with packs of your own, as the server is given it." placeholder:"DIR" type:"existingdir"`
}

func (p packsIn) config() *LifeConfig { return &LifeConfig{LawPacks: p.LawPacks, TimeZone: "UTC"} }

type packsList struct {
	packsIn
}

// Run prints a line for each pack.
func (c *packsList) Run(s *streams) error {
	book, err := c.config().book()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PLACE\tINHERITS\tVERSION\tREVIEWED\tFILE")
	for _, place := range book.Jurisdictions() {
		l, _ := book.Of(place, nil)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", place, cmp.Or(l.Inherits, "-"), l.Pack.Version, l.Reviewed, l.Files[0])
	}
	return w.Flush()
}

type packsShow struct {
	packsIn
	Jurisdiction string `arg:"" help:"Jurisdiction, such as US-CA."`
}

// Run prints the whole law of a jurisdiction as JSON.
func (c *packsShow) Run(s *streams) error {
	cfg := c.config()
	book, err := cfg.book()
	if err != nil {
		return err
	}
	cfg.Jurisdiction = c.Jurisdiction
	l, err := cfg.lawOf(book)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(l.Pack, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", raw)
	return err
}

type packsCheck struct {
	packsIn
	File string `arg:"" help:"Jurisdiction pack, as JSON." type:"existingfile"`
}

// Run reads the file among the others.
func (c *packsCheck) Run(s *streams) error {
	_, is, err := comparePacks(c.packsIn, c.File)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: understood: %s version %s, reviewed: %s\n", c.File, is.Jurisdiction, is.Pack.Version, is.Reviewed)
	if is.Reviewed == "none" {
		fmt.Fprintln(s.out, "have counsel check every rule before real patients rely on it")
	}
	return nil
}

type packsDiff struct {
	packsIn
	File string `arg:"" help:"Jurisdiction pack, as JSON." type:"existingfile"`
}

// Run prints what differs.
func (c *packsDiff) Run(s *streams) error {
	was, is, err := comparePacks(c.packsIn, c.File)
	if err != nil {
		return err
	}
	changes := law.Diff(was, is)
	for _, d := range changes {
		fmt.Fprintf(s.out, "%s %s %s\n  was: %s\n  is:  %s\n", d.Effect, d.Section, d.Key, cmp.Or(d.Was, "no rule"), cmp.Or(d.Is, "no rule"))
	}
	if len(changes) == 0 {
		fmt.Fprintf(s.out, "nothing changes in %s\n", is.Jurisdiction)
	}
	return nil
}

// comparePacks gives the law of a file's jurisdiction as it is without the file, empty
// where there is none, and with it.
func comparePacks(in packsIn, path string) (was, is *law.Law, err error) {
	f, err := packFile(path)
	if err != nil {
		return nil, nil, err
	}
	p, err := law.Read(f)
	if err != nil {
		return nil, nil, err
	}
	cfg := in.config()
	before, err := cfg.book()
	if err != nil {
		return nil, nil, err
	}
	after, err := cfg.book(f)
	if err != nil {
		return nil, nil, err
	}
	cfg.Jurisdiction = p.Jurisdiction
	if is, err = cfg.lawOf(after); err != nil {
		return nil, nil, err
	}
	if was, _ = before.Of(p.Jurisdiction, nil); was == nil {
		was = &law.Law{}
	}
	return was, is, nil
}
