package config

import (
	"reflect"
	"strings"
	"time"
	"unicode"
)

// Setting is one setting as it is documented and printed.
type Setting struct {
	// Key is its place in the file, such as "tls.cert_file"; Flag and Env are
	// its names elsewhere, such as "cert" and "MANDATE_TLS_CERT_FILE".
	Key, Flag, Env string
	// Help, Default and Kind ("text", "list", "duration", …) describe it.
	Help, Default, Kind string
	// Enum lists the only values, if there is a list.
	Enum []string
	// Secret settings are never printed and never stand in the file.
	Secret Secrecy

	field reflect.Value
	typ   string
	group string
}

// Secrecy says how secret a value is.
type Secrecy string

// The degrees of secrecy, as given by the tag `secret`.
const (
	// Public values are printed.
	Public Secrecy = ""
	// InURL is a URL that may hold a password: printed without it, and refused
	// in the file when it has one.
	InURL Secrecy = "url"
	// Whole values are secret altogether.
	Whole Secrecy = "whole"
)

// EnvPrefix begins the name of every environment variable.
const EnvPrefix = "MANDATE_"

// Settings lists the settings of a struct, in the order of its fields. The
// struct is given by pointer. A field without a tag `help` is no setting.
func Settings(dst any) []*Setting {
	return walk(reflect.ValueOf(dst).Elem(), "")
}

func walk(v reflect.Value, section string) []*Setting {
	var out []*Setting
	for i := range v.NumField() {
		f := v.Type().Field(i)
		tag := f.Tag
		if !f.IsExported() && !f.Anonymous || tag.Get("key") == "-" || tag.Get("kong") == "-" {
			continue
		}
		if _, embedded := tag.Lookup("embed"); (f.Anonymous || embedded) && f.Type.Kind() == reflect.Struct {
			below := section
			if s := tag.Get("section"); s != "" {
				below = s
			}
			out = append(out, walk(v.Field(i), below)...)
			continue
		}
		if tag.Get("help") == "" {
			continue
		}
		out = append(out, setting(f, v.Field(i), section))
	}
	return out
}

func setting(f reflect.StructField, v reflect.Value, section string) *Setting {
	name := f.Tag.Get("name")
	if name == "" {
		name = dashed(f.Name)
	}
	key := f.Tag.Get("key")
	if key == "" {
		key = strings.ReplaceAll(strings.TrimPrefix(name, section+"-"), "-", "_")
	}
	if section != "" {
		key = section + "." + key
	}
	s := &Setting{
		Key: key, Flag: name, Env: EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_")),
		Help: f.Tag.Get("help"), Default: f.Tag.Get("default"), Kind: kind(v), Secret: Secrecy(f.Tag.Get("secret")),
		field: v, typ: f.Tag.Get("type"), group: section,
	}
	// The help of a flag may quote kong's variables.
	s.Help = strings.NewReplacer(" (default ${default})", "", "${default}", s.Default).Replace(s.Help)
	if list := f.Tag.Get("enum"); list != "" {
		s.Enum = strings.Split(list, ",")
	}
	return s
}

func kind(v reflect.Value) string {
	switch v.Interface().(type) {
	case time.Duration:
		return "duration"
	case []string:
		return "list"
	case bool:
		return "true or false"
	case string:
		return "text"
	case float64:
		return "number"
	default:
		return "whole number"
	}
}

// dashed gives the flag name of a field, as the command line does: HelpPhone
// becomes help-phone.
func dashed(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
