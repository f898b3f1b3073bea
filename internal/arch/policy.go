package arch

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Policy is deps.txt as a value.
type Policy struct {
	// floors gives each room its floor; rooms keeps the order of the lines.
	floors map[string]int
	rooms  []string
	// outside lists what a folder beside the house may import from it.
	outside map[string][]string
	// inside lists the arrows between packages of one room.
	inside []arrows
	// tests lists what only test files may import beyond that.
	tests []arrows
	// pins says for a target which folders may import it.
	pins []arrows
	// unlinked says for a program what must not be linked into it.
	unlinked []arrows
}

// arrows is one line of the policy: a pattern and the patterns it points to.
type arrows struct {
	from string
	to   []string
}

// ParsePolicy reads the form that deps.txt describes in its first lines. It
// answers an error naming the line it cannot read; a test exception without a
// reason is such an error.
func ParsePolicy(r io.Reader) (*Policy, error) {
	p := &Policy{floors: map[string]int{}, outside: map[string][]string{}}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if err := p.add(fields); err != nil {
			return nil, fmt.Errorf("policy line %d: %w", n, err)
		}
	}
	return p, lines.Err()
}

func (p *Policy) add(fields []string) error {
	if fields[0] == "floor" && len(fields) > 2 {
		floor, err := strconv.Atoi(fields[1])
		for _, room := range fields[2:] {
			p.floors[room] = floor
			p.rooms = append(p.rooms, room)
		}
		return err
	}
	if len(fields) < 4 {
		return fmt.Errorf("%q is too short", strings.Join(fields, " "))
	}
	line := arrows{from: fields[1], to: fields[3:]}
	colon := slices.Index(line.to, ":")
	if colon >= 0 {
		line.to = line.to[:colon]
	}
	switch fields[0] + " " + fields[2] {
	case "outside ->":
		p.outside[line.from] = line.to
	case "inside ->":
		p.inside = append(p.inside, line)
	case "pin in":
		p.pins = append(p.pins, line)
	case "unlinked ->":
		p.unlinked = append(p.unlinked, line)
	case "test ->":
		if colon < 1 {
			return fmt.Errorf("the exception of %s gives no reason", line.from)
		}
		p.tests = append(p.tests, line)
	default:
		return fmt.Errorf("unknown rule %q", strings.Join(fields, " "))
	}
	return nil
}

// matches tells whether a path is covered by a pattern: the path itself, or for
// a pattern ending in /... the folder and everything below it. "..." covers all.
func matches(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	if folder, below := strings.CutSuffix(pattern, "/..."); below {
		return path == folder || strings.HasPrefix(path, folder+"/")
	}
	return pattern == path
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, path) })
}

// covers tells whether one of the lines for the importer covers the target.
func covers(lines []arrows, from, to string) bool {
	return slices.ContainsFunc(lines, func(a arrows) bool {
		return matches(a.from, from) && matchesAny(a.to, to)
	})
}

// Refuse says why a package may not import a target, or "" when it may. Paths
// are relative to the module for its own packages. The floors are asked only
// for those.
func (p *Policy) Refuse(from, to string, own, test bool) string {
	if test && covers(p.tests, from, to) {
		return ""
	}
	if why := p.refusePin(from, to); why != "" {
		return why
	}
	if !own {
		return ""
	}
	fromRoom, toRoom := room(from), room(to)
	if allowed, beside := p.outside[fromRoom]; beside && fromRoom != toRoom {
		if matchesAny(allowed, to) {
			return ""
		}
		return fromRoom + " stands outside the house and imports only what its line lists"
	}
	if fromRoom == toRoom {
		if covers(p.inside, from, to) {
			return ""
		}
		return "no arrow inside " + fromRoom + " leads from " + from + " to " + to
	}
	return p.refuseFloor(fromRoom, toRoom)
}

// refusePin judges the targets that only named folders may import.
func (p *Policy) refusePin(from, to string) string {
	for _, pin := range p.pins {
		if matches(pin.from, to) && !matchesAny(pin.to, from) {
			return "only " + strings.Join(pin.to, ", ") + " may import it"
		}
	}
	return ""
}

func (p *Policy) refuseFloor(fromRoom, toRoom string) string {
	from, known := p.floors[fromRoom]
	if !known {
		return fromRoom + " is not a room of the house"
	}
	to, known := p.floors[toRoom]
	if _, beside := p.outside[toRoom]; beside {
		return ""
	}
	if !known {
		return toRoom + " is not a room of the house"
	}
	if to >= from {
		return fmt.Sprintf("%s (floor %d) may import lower floors only, %s is on floor %d", fromRoom, from, toRoom, to)
	}
	return ""
}

// room is the top-level folder of a package.
func room(path string) string {
	top, _, _ := strings.Cut(path, "/")
	return top
}

// CheckImports judges every import of every file, test files too.
func (t *Tree) CheckImports(p *Policy) []Violation {
	var found []Violation
	for _, pkg := range t.Packages {
		for _, f := range pkg.Files {
			for _, i := range f.Imports {
				if f.External && i.Path == pkg.Path {
					continue
				}
				if why := p.Refuse(pkg.Path, i.Path, i.Own, f.Test); why != "" {
					found = append(found, Violation{at(f, i.Line), "imports " + i.Path + ": " + why})
				}
			}
		}
	}
	return found
}

// CheckLinked judges what is linked into the programs the policy names.
func CheckLinked(root string, p *Policy) ([]Violation, error) {
	var found []Violation
	for _, rule := range p.unlinked {
		linked, err := Linked(root, rule.from)
		if err != nil {
			return nil, err
		}
		for _, path := range linked {
			if matchesAny(rule.to, own(path)) {
				found = append(found, Violation{rule.from, own(path) + " is linked into the program"})
			}
		}
	}
	return found, nil
}

// Floors answers the rooms of each floor in the order of the policy, floor 0
// first. Folders that stand outside the house are not among them.
func (p *Policy) Floors() [][]string {
	var floors [][]string
	for _, room := range p.rooms {
		for len(floors) <= p.floors[room] {
			floors = append(floors, nil)
		}
		floors[p.floors[room]] = append(floors[p.floors[room]], room)
	}
	return floors
}
