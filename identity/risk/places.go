package risk

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// Places turns addresses into places, by a file that the operator provides. It is
// safe for concurrent use.
type Places struct {
	blocks  []block
	located bool
	made    time.Time
}

// block is a run of addresses that are in one place.
type block struct {
	from, to netip.Addr
	identity.Place
}

// OpenPlaces reads a file of places. Each line is NETWORK,COUNTRY or
// FIRST,LAST,COUNTRY, with LATITUDE,LONGITUDE behind it where they are known;
// quotes, empty lines and lines that begin with # do not count. Errors: those of
// reading; errs.Invalid with code places-malformed and the line.
func OpenPlaces(path string) (*Places, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := readPlaces(f)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	p.made = info.ModTime()
	return p, nil
}

func readPlaces(from io.Reader) (*Places, error) {
	p := &Places{}
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(strings.ReplaceAll(lines.Text(), `"`, ""))
		if text == "" || text[0] == '#' {
			continue
		}
		b, ok := readBlock(strings.Split(text, ","))
		if !ok {
			return nil, malformed(n, "is not NETWORK,COUNTRY or FIRST,LAST,COUNTRY, with or without LATITUDE,LONGITUDE")
		}
		p.located = p.located || b.Located
		p.blocks = append(p.blocks, b)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(p.blocks, func(x, y block) int { return x.from.Compare(y.from) })
	for i := 1; i < len(p.blocks); i++ {
		if p.blocks[i].from.Compare(p.blocks[i-1].to) <= 0 {
			return nil, errs.New(errs.Invalid, "places-malformed", fmt.Sprintf("%s is in the file of places twice.", p.blocks[i].from))
		}
	}
	return p, nil
}

func malformed(line int, why string) error {
	return errs.New(errs.Invalid, "places-malformed", fmt.Sprintf("Line %d of the file of places %s.", line, why))
}

func readBlock(cells []string) (b block, ok bool) {
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	if network, err := netip.ParsePrefix(cells[0]); err == nil {
		b.from, b.to = network.Masked().Addr(), last(network)
		cells = cells[1:]
	} else if len(cells) > 2 {
		b.from, _ = netip.ParseAddr(cells[0])
		b.to, _ = netip.ParseAddr(cells[1])
		cells = cells[2:]
	}
	if !b.from.IsValid() || !b.to.IsValid() || b.to.Less(b.from) || b.from.Is4() != b.to.Is4() {
		return b, false
	}
	if len(cells) != 1 && len(cells) != 3 || len(cells[0]) != 2 {
		return b, false
	}
	b.Country = strings.ToUpper(cells[0])
	if len(cells) == 3 && cells[1] != "" {
		var wrong, alsoWrong error
		b.Latitude, wrong = strconv.ParseFloat(cells[1], 64)
		b.Longitude, alsoWrong = strconv.ParseFloat(cells[2], 64)
		b.Located = true
		ok := wrong == nil && alsoWrong == nil && b.Latitude >= -90 && b.Latitude <= 90 && b.Longitude >= -180 && b.Longitude <= 180
		return b, ok
	}
	return b, true
}

// last gives the highest address of a network.
func last(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	a, _ := netip.AddrFromSlice(bytes)
	return a
}

// Of gives the place of a network, as sessions and devices have it; ok is false for
// one that is not in the file.
func (p *Places) Of(network string) (at identity.Place, ok bool) {
	n, err := netip.ParsePrefix(network)
	if p == nil || err != nil {
		return at, false
	}
	addr := n.Addr().Unmap()
	i, exact := slices.BinarySearchFunc(p.blocks, addr, func(b block, a netip.Addr) int { return b.from.Compare(a) })
	if !exact {
		i--
	}
	if i < 0 || p.blocks[i].to.Less(addr) {
		return at, false
	}
	return p.blocks[i].Place, true
}

// Len gives the number of blocks.
func (p *Places) Len() int { return len(p.blocks) }

// Made is when the file was written (UTC).
func (p *Places) Made() time.Time { return p.made }

// Located reports whether the file says where places are, and not only in which
// country.
func (p *Places) Located() bool { return p != nil && p.located }

// Signals gives all that might be looked at, and why what is not (SM-07: it is said,
// and never passes in silence).
func Signals(places *Places, passwords bool) []Signal {
	out := make([]Signal, 0, len(rules))
	for _, r := range rules {
		s := Signal{Name: r.name}
		switch {
		case r.needs == needsPlaces && places == nil, r.needs == needsDistances && places == nil:
			s.Inactive = string(needsPlaces)
		case r.needs == needsDistances && !places.Located():
			s.Inactive = string(needsDistances)
		case r.needs == needsPasswords && !passwords:
			s.Inactive = string(needsPasswords)
		}
		out = append(out, s)
	}
	return out
}

// Signal is one thing that might be looked at. Inactive is what lacks, empty when the
// rules look at it.
type Signal struct{ Name, Inactive string }

// severity orders the outcomes.
func severity(o identity.RiskOutcome) int {
	return slices.Index([]identity.RiskOutcome{
		identity.RiskAllow, identity.RiskNotify, identity.RiskStepUp, identity.RiskDelay, identity.RiskBlock,
	}, o)
}

func graver(a, b identity.RiskOutcome) identity.RiskOutcome {
	if cmp.Compare(severity(a), severity(b)) >= 0 {
		return a
	}
	return b
}
