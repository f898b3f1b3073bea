package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// entry is one value of the file, not yet of the setting's type.
type entry struct {
	key  string
	line int
	// texts holds the value as text, one for each element of a list.
	texts []string
	// kind is what it was written as: "text", "list", "true or false",
	// "whole number", "number" or another word for what no setting is.
	kind string
}

// readFile reads the entries of a TOML file. Errors: the file cannot be read,
// others may write to it, or it is not TOML.
func readFile(path string) ([]entry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("%s can be written by everybody; run: chmod o-w %s", path, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	return parse(raw, filepath.Base(path))
}

func parse(raw []byte, name string) ([]entry, error) {
	// The library finds every syntax fault, and tells the line.
	if err := toml.Unmarshal(raw, new(map[string]any)); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, column := at.Position()
			return nil, fmt.Errorf("%s line %d, column %d: %s", name, line, column, strings.TrimPrefix(at.Error(), "toml: "))
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var p unstable.Parser
	p.Reset(raw)
	var out []entry
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			table, _ = place(&p, e, "")
		case unstable.ArrayTable:
			key, line := place(&p, e, "")
			table = key
			out = append(out, entry{key: key, line: line, kind: "list of tables"})
		case unstable.KeyValue:
			key, line := place(&p, e, table)
			out = append(out, value(e.Value(), key, line))
		}
	}
	return out, p.Error()
}

// place gives the full key of an expression and its line.
func place(p *unstable.Parser, e *unstable.Node, table string) (string, int) {
	var parts []string
	if table != "" {
		parts = append(parts, table)
	}
	line := 0
	for it := e.Key(); it.Next(); {
		parts = append(parts, string(it.Node().Data))
		if line == 0 {
			line = p.Shape(it.Node().Raw).Start.Line
		}
	}
	return strings.Join(parts, "."), line
}

func value(v *unstable.Node, key string, line int) entry {
	e := entry{key: key, line: line, kind: kindOf(v.Kind), texts: []string{string(v.Data)}}
	if v.Kind == unstable.Array {
		e.texts = []string{}
		for it := v.Children(); it.Next(); {
			if it.Node().Kind != unstable.String {
				e.kind = "list of something else than text"
			}
			e.texts = append(e.texts, string(it.Node().Data))
		}
	}
	return e
}

func kindOf(k unstable.Kind) string {
	switch k {
	case unstable.String:
		return "text"
	case unstable.Bool:
		return "true or false"
	case unstable.Integer:
		return "whole number"
	case unstable.Float:
		return "number"
	case unstable.Array:
		return "list"
	case unstable.InlineTable:
		return "table"
	default:
		return "date"
	}
}

// take puts the texts of a value into the setting. Errors: a sentence about
// what the setting takes; it quotes the value unless that is secret.
func (s *Setting) take(texts []string) error {
	text := ""
	if len(texts) > 0 {
		text = texts[0]
	}
	refuse := func(want string) error {
		if s.Secret != Public {
			return fmt.Errorf("the value is not %s", want)
		}
		return fmt.Errorf("%q is not %s", text, want)
	}
	switch s.Kind {
	case "list":
		s.field.Set(reflect.ValueOf(slices.Clone(texts)))
		return nil
	case "text":
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
			return refuse("one of " + strings.Join(s.Enum, ", "))
		}
		s.field.SetString(text)
	case "duration":
		d, err := time.ParseDuration(text)
		if err != nil {
			return refuse("a duration such as 90s or 5m")
		}
		s.field.SetInt(int64(d))
	case "true or false":
		b, err := strconv.ParseBool(text)
		if err != nil {
			return refuse("true or false")
		}
		s.field.SetBool(b)
	case "number":
		f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil {
			return refuse("a number")
		}
		s.field.SetFloat(f)
	default:
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 0, 64)
		if err != nil || s.field.CanUint() && n < 0 || !s.field.CanUint() && s.field.OverflowInt(n) {
			return refuse("a whole number that fits")
		}
		if s.field.CanUint() {
			s.field.SetUint(uint64(n))
		} else {
			s.field.SetInt(n)
		}
	}
	return nil
}
