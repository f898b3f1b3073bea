package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxIssues bounds the report on one resource.
const maxIssues = 20

// checker reads JSON token by token for what google/fhir lets pass: duplicate
// keys, of which readers take different ones; empty arrays, objects and
// strings, which R4 forbids (§2.6.2); control characters; depth.
type checker struct {
	d      *json.Decoder
	issues []Issue
}

var errStop = errors.New("stop")

// check gives the resource as a map, or what is wrong with it.
func check(raw []byte) (map[string]any, []Issue) {
	if !utf8.Valid(raw) {
		return nil, []Issue{{Text: "not UTF-8"}}
	}
	c := &checker{d: json.NewDecoder(bytes.NewReader(raw))}
	c.d.UseNumber()
	v, err := c.value("", 0)
	if err == nil {
		if _, err := c.d.Token(); !errors.Is(err, io.EOF) {
			c.report("", "there is something behind the resource")
		}
	} else if !errors.Is(err, errStop) {
		c.report("", "not well-formed JSON at byte "+strconv.FormatInt(c.d.InputOffset(), 10))
	}
	if len(c.issues) > 0 {
		return nil, c.issues
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, []Issue{{Text: "a resource is a JSON object"}}
	}
	if t, ok := root["resourceType"].(string); !ok || t == "" {
		return nil, []Issue{{Path: "resourceType", Text: "is missing"}}
	}
	return root, nil
}

func (c *checker) report(path, text string) {
	if len(c.issues) < maxIssues {
		c.issues = append(c.issues, Issue{Path: path, Text: text})
	}
}

func (c *checker) value(path string, depth int) (any, error) {
	t, err := c.d.Token()
	if err != nil {
		return nil, err
	}
	if delim, ok := t.(json.Delim); ok {
		if depth >= MaxDepth {
			c.report(path, "nested too deeply")
			return nil, errStop
		}
		if delim == '{' {
			return c.object(path, depth+1)
		}
		return c.array(path, depth+1)
	}
	if s, ok := t.(string); ok {
		switch {
		case strings.TrimSpace(s) == "":
			c.report(path, "empty string")
		case strings.IndexFunc(s, control) >= 0:
			c.report(path, "a control character")
		}
	}
	return t, nil
}

// control reports whether R4 forbids a character in a string (§2.24.0.1): many
// a database refuses them too.
func control(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }

func (c *checker) object(path string, depth int) (any, error) {
	out := map[string]any{}
	for c.d.More() {
		t, err := c.d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := t.(string)
		if !ok {
			return nil, errStop
		}
		at := element(path, key)
		if _, twice := out[key]; twice {
			c.report(at, "given twice")
		}
		v, err := c.value(at, depth)
		if err != nil {
			return nil, err
		}
		if v == nil {
			c.report(at, "null stands only in arrays of primitives")
		}
		out[key] = v
	}
	if len(out) == 0 {
		c.report(path, "empty object")
	}
	_, err := c.d.Token()
	return out, err
}

func (c *checker) array(path string, depth int) (any, error) {
	var out []any
	for c.d.More() {
		v, err := c.value(path+"["+strconv.Itoa(len(out))+"]", depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		c.report(path, "empty array")
	}
	_, err := c.d.Token()
	return out, err
}

// element joins a path and a key. A key that is no element name is not
// repeated, since it may hold anything.
func element(path, key string) string {
	for i := 0; i < len(key); i++ {
		letter := key[i]|0x20 >= 'a' && key[i]|0x20 <= 'z'
		if !letter && key[i] != '_' && (key[i] < '0' || key[i] > '9') || len(key) > 64 {
			key = "?"
			break
		}
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
