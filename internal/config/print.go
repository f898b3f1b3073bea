package config

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Redacted stands in place of a secret.
const Redacted = "(secret, not shown)"

// Value gives the value of a setting as it would stand in the file. A secret
// is replaced by Redacted, the password of a URL too.
func (s *Setting) Value() string {
	switch v := s.field.Interface().(type) {
	case string:
		return strconv.Quote(s.shown(v))
	case time.Duration:
		return strconv.Quote(v.String())
	case []string:
		quoted := make([]string, len(v))
		for i, text := range v {
			quoted[i] = strconv.Quote(s.shown(text))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

func (s *Setting) shown(text string) string {
	switch {
	case s.Secret == Public || text == "":
		return text
	case s.Secret == InURL && hasPassword(text):
		if u, err := url.Parse(text); err == nil && u.Scheme != "" && !u.Query().Has("password") {
			return u.Redacted()
		}
		return Redacted
	case s.Secret == InURL:
		return text
	default:
		return Redacted
	}
}

// Print writes every setting with its value and where it came from, as a file
// that could be read again once the secrets are filled in.
func (l *Loaded) Print(w io.Writer) {
	l.sections(func(section string) { fmt.Fprintf(w, "\n[%s]\n", section) }, func(s *Setting) {
		line := s.short() + " = " + s.Value()
		if s.Secret == Whole {
			line = "# " + line
		}
		fmt.Fprintf(w, "%-50s # %s\n", line, l.Origin(s.Key))
	})
}

// Example writes a file with every setting, explained and commented out.
func Example(w io.Writer, dst any) {
	l := &Loaded{Settings: Settings(dst)}
	fmt.Fprintln(w, "# Every setting of Mandate. What is commented out has the value shown or none.")
	l.sections(func(section string) { fmt.Fprintf(w, "\n[%s]\n", section) }, func(s *Setting) {
		fmt.Fprintf(w, "\n# %s\n", s.Help)
		if len(s.Enum) > 0 {
			fmt.Fprintf(w, "# One of: %s.\n", strings.Join(s.Enum, ", "))
		}
		fmt.Fprintf(w, "# Flag --%s, environment %s.\n", s.Flag, s.Env)
		if s.Secret != Public {
			fmt.Fprintf(w, "# A secret: name the file that holds it.\n#%s_file = \"\"\n", s.short())
			if s.Secret == Whole {
				return
			}
		}
		fmt.Fprintf(w, "#%s = %s\n", s.short(), s.defaulted())
	})
}

// Markdown writes the table of the documentation.
func Markdown(w io.Writer, dst any) {
	fmt.Fprintln(w, "| key | flag | environment | takes | default | what it does |\n|---|---|---|---|---|---|")
	(&Loaded{Settings: Settings(dst)}).sections(func(string) {}, func(s *Setting) {
		takes, preset := s.Kind, ""
		if len(s.Enum) > 0 {
			takes = strings.Join(s.Enum, ", ")
		}
		key, env := "`"+s.Key+"`", "`"+s.Env+"`"
		if s.Secret != Public {
			key, env = key+" or `"+s.Key+"_file`", env+" or `"+s.Env+"_FILE`"
		}
		if s.Default != "" {
			preset = "`" + s.Default + "`"
		}
		fmt.Fprintf(w, "| %s | `--%s` | %s | %s | %s | %s |\n", key, s.Flag, env, takes, preset, strings.ReplaceAll(s.Help, "|", "\\|"))
	})
}

// Facts gives every setting with its value, secrets left out: what a baseline
// is made of.
func (l *Loaded) Facts() map[string]string {
	out := map[string]string{}
	for _, s := range l.Settings {
		out[s.Key] = s.Value()
	}
	return out
}

// sections visits the settings, those without a section first: in a file they
// could not stand behind one.
func (l *Loaded) sections(begin func(string), visit func(*Setting)) {
	var order []string
	for _, s := range l.Settings {
		if !slices.Contains(order, s.group) {
			order = append(order, s.group)
		}
	}
	slices.SortStableFunc(order, func(a, b string) int {
		switch {
		case a == "" && b != "":
			return -1
		case b == "" && a != "":
			return 1
		}
		return 0
	})
	for _, section := range order {
		if section != "" {
			begin(section)
		}
		for _, s := range l.Settings {
			if s.group == section {
				visit(s)
			}
		}
	}
}

func (s *Setting) short() string { return strings.TrimPrefix(s.Key, s.group+".") }

// defaulted gives the default as it would stand in the file.
func (s *Setting) defaulted() string {
	switch s.Kind {
	case "text", "duration":
		return strconv.Quote(s.Default)
	case "list":
		return "[]"
	case "true or false":
		return strconv.FormatBool(s.Default == "true")
	default:
		if s.Default == "" {
			return "0"
		}
		return s.Default
	}
}
