package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Sources are where settings come from.
type Sources struct {
	// File is the path of the TOML file; empty means none.
	File string
	// Environ is the environment as NAME=VALUE.
	Environ []string
	// Given names the flags that the command line set; their values are in
	// the struct already.
	Given map[string]bool
}

// Loaded tells what came from where.
type Loaded struct {
	Settings []*Setting
	// Warnings are remarks that do not stop a start.
	Warnings []string

	file   string
	origin map[string]string
}

// Origin gives where the value of a key came from: "default", "--flag", an
// environment variable, or the file with its line.
func (l *Loaded) Origin(key string) string {
	if o := l.origin[key]; o != "" {
		return o
	}
	return "default"
}

// Load fills the struct that dst points to: what a flag gave stays, the rest
// is taken from the environment, the file or the default, and then every
// Validator among the structs judges. Errors: every fault at once, joined.
func Load(dst any, src Sources) (*Loaded, error) {
	l := &Loaded{Settings: Settings(dst), origin: map[string]string{}}
	var faults []error
	entries := map[string]entry{}
	if src.File != "" {
		l.file = filepath.Base(src.File)
		list, err := readFile(src.File)
		if err != nil {
			return l, err
		}
		faults = append(faults, l.sort(list, entries)...)
	}
	env := environment(src.Environ)
	for _, s := range l.Settings {
		if err := l.fill(s, src.Given, env, entries); err != nil {
			faults = append(faults, err)
		}
	}
	l.warn(env)
	judged := l.judge(dst)
	if len(faults) == 0 {
		return l, judged
	}
	// What could not be read, or stands under a wrong key, is not set now: a
	// fault of a setting that nobody set may be none.
	each(judged, func(f *Fault) {
		if l.origin[f.Key] != "" {
			faults = append(faults, f)
		}
	})
	return l, errors.Join(faults...)
}

// sort files the entries by key and refuses unknown ones.
func (l *Loaded) sort(list []entry, into map[string]entry) []error {
	known := l.keys()
	var faults []error
	for _, e := range list {
		if !slices.Contains(known, e.key) {
			faults = append(faults, &Fault{Key: e.key, Where: l.line(e), Text: "there is no such setting" + suggestion(e.key, known)})
			continue
		}
		into[e.key] = e
	}
	return faults
}

// keys lists what the file may hold: each setting and, for a secret, the name
// of the file that has it.
func (l *Loaded) keys() []string {
	var out []string
	for _, s := range l.Settings {
		out = append(out, s.Key)
		if s.Secret != Public {
			out = append(out, s.Key+"_file")
		}
	}
	return out
}

func (l *Loaded) line(e entry) string { return fmt.Sprintf("%s line %d", l.file, e.line) }

// fill gives one setting its value from the strongest source that has one.
func (l *Loaded) fill(s *Setting, given map[string]bool, env map[string]string, file map[string]entry) error {
	if given[s.Flag] {
		l.origin[s.Key] = "--" + s.Flag
		return nil
	}
	fault := func(where string, err error) error {
		if err == nil {
			l.origin[s.Key] = where
			return nil
		}
		return &Fault{Key: s.Key, Where: where, Text: err.Error()}
	}
	s.field.SetZero()
	if text, ok := env[s.Env]; ok {
		return fault(s.Env, s.takeExisting(s.split(text)))
	}
	if path, ok := env[s.Env+"_FILE"]; ok && s.Secret != Public {
		return fault(s.Env+"_FILE", s.fromFile(path))
	}
	if e, ok := file[s.Key+"_file"]; ok && s.Secret != Public {
		return fault(l.line(e), s.fromFile(strings.Join(e.texts, "")))
	}
	if e, ok := file[s.Key]; ok {
		return fault(l.line(e), s.fromEntry(e))
	}
	if s.Default != "" {
		return s.take(s.split(s.Default))
	}
	return nil
}

func (s *Setting) split(text string) []string {
	if s.Kind != "list" {
		return []string{text}
	}
	var out []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// fromEntry takes a value of the file, which must be of the right type there.
func (s *Setting) fromEntry(e entry) error {
	want := s.Kind
	if want == "duration" {
		want = "text"
	}
	if e.kind != want && (want != "number" || e.kind != "whole number") {
		return fmt.Errorf("given as %s; the setting takes %s%s", e.kind, s.Kind, example(s.Kind))
	}
	if s.Secret == Whole || s.Secret == InURL && hasPassword(e.texts[0]) {
		return fmt.Errorf("a secret must not stand in the configuration file; put it into a file of its own and set %s_file, or into %s", s.Key, s.Env)
	}
	return s.takeExisting(e.texts)
}

func example(kind string) string {
	if kind == "duration" {
		return ` such as "90s"`
	}
	return ""
}

// takeExisting takes a value and, where it names a file that must exist, looks.
func (s *Setting) takeExisting(texts []string) error {
	if s.typ == "existingfile" {
		for _, path := range texts {
			if info, err := os.Stat(path); path != "" && (err != nil || info.IsDir()) {
				return fmt.Errorf("there is no file %s", path)
			}
		}
	}
	return s.take(texts)
}

// fromFile reads a secret. A last line end is not part of it.
func (s *Setting) fromFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("the file of the secret cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("the file of the secret, %s, is open to everybody; run: chmod o= %s", path, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the file of the secret cannot be read: %w", err)
	}
	return s.take([]string{strings.TrimRight(string(raw), "\r\n")})
}

func hasPassword(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return true
	}
	_, has := u.User.Password()
	// The key=value form of a connection string names it.
	return has || u.Query().Has("password") || strings.Contains(raw, "password=")
}

func environment(list []string) map[string]string {
	out := map[string]string{}
	for _, pair := range list {
		if name, text, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, EnvPrefix) {
			out[name] = text
		}
	}
	return out
}

// warn remarks on variables that look like settings and are none. They are not
// refused: a cluster makes variables with our prefix by itself.
func (l *Loaded) warn(env map[string]string) {
	known := []string{EnvPrefix + "CONFIG"}
	for _, s := range l.Settings {
		known = append(known, s.Env)
		if s.Secret != Public {
			known = append(known, s.Env+"_FILE")
		}
	}
	for name := range env {
		if !slices.Contains(known, name) {
			l.Warnings = append(l.Warnings, "the environment variable "+name+" is no setting and was not read")
		}
	}
	slices.Sort(l.Warnings)
}

// Judge asks every struct of settings that can judge itself, for settings that
// were not loaded. Errors: every Fault at once.
func Judge(dst any) error { return (&Loaded{}).judge(dst) }

// judge asks every struct that can judge itself.
func (l *Loaded) judge(dst any) error {
	var faults []error
	judgeStruct(reflect.ValueOf(dst).Elem(), "", func(section string, err error) {
		each(err, func(f *Fault) {
			if section != "" && f.Key != "" {
				f.Key = section + "." + f.Key
			}
			f.Where = l.where(f.Key)
			faults = append(faults, f)
		})
	})
	return errors.Join(faults...)
}

// where tells a person where to look for a faulty key, or where to set it.
func (l *Loaded) where(key string) string {
	for _, s := range l.Settings {
		if s.Key != key {
			continue
		}
		if o := l.origin[key]; o != "" {
			return o
		}
		return "not set; --" + s.Flag + " or " + s.Env
	}
	return ""
}

func judgeStruct(v reflect.Value, section string, tell func(string, error)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		_, embedded := f.Tag.Lookup("embed")
		if (f.Anonymous || embedded) && f.Type.Kind() == reflect.Struct && f.IsExported() {
			below := section
			if s := f.Tag.Get("section"); s != "" {
				below = s
			}
			judgeStruct(v.Field(i), below, tell)
		}
	}
	if own, ok := v.Addr().Interface().(Validator); ok && !promoted(v) {
		tell(section, own.Validate())
	}
}

// promoted reports whether the Validate method of a struct is only that of an
// embedded one, which judges by itself.
func promoted(v reflect.Value) bool {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous && f.IsExported() {
			if _, ok := v.Field(i).Addr().Interface().(Validator); ok {
				return true
			}
		}
	}
	return false
}
