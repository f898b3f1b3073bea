package call

import (
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// readQuery reads the parameters into the fields of a struct, by their JSON
// names. A field that is not omitempty must be there; a parameter that is no
// field, and one that stands twice where the field is no list, are refused: an
// operator who mistypes a filter must not get an answer to another question.
// Fields are strings, lists of strings, whole numbers, booleans and times.
func readQuery(raw string, into any) error {
	given, err := url.ParseQuery(raw)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "parameter-malformed", "The parameters cannot be read.")
	}
	fields := reflect.ValueOf(into).Elem()
	for i := range fields.NumField() {
		name, options, _ := strings.Cut(fields.Type().Field(i).Tag.Get("json"), ",")
		values, there := given[name]
		delete(given, name)
		switch {
		case !there && !strings.HasPrefix(options, "omit"):
			return errs.New(errs.Invalid, "parameter-missing", parameter(name)+"is missing.")
		case !there:
			continue
		case len(values) > 1 && fields.Field(i).Kind() != reflect.Slice:
			return errs.New(errs.Invalid, "parameter-repeated", parameter(name)+"stands more than once.")
		}
		if err := set(fields.Field(i), values, name); err != nil {
			return err
		}
	}
	for name := range given {
		return errs.New(errs.Invalid, "parameter-unknown", parameter(name)+"is not known here; see /docs/openapi.json.")
	}
	return nil
}

// maxName is how much of an unknown name is told back.
const maxName = 40

func parameter(name string) string {
	return "The parameter " + strconv.QuoteToASCII(name[:min(len(name), maxName)]) + " "
}

func malformed(name, why string) error {
	return errs.New(errs.Invalid, "parameter-malformed", parameter(name)+why+".")
}

func set(field reflect.Value, values []string, name string) (err error) {
	text := values[0]
	switch into := field.Addr().Interface().(type) {
	case *string:
		*into = text
		if text == "" {
			return malformed(name, "is empty")
		}
	case *[]string:
		*into = values
	case *int64:
		if *into, err = strconv.ParseInt(text, 10, 64); err != nil || *into < 1 {
			return malformed(name, "must be a number from 1 on")
		}
	case *bool:
		if *into, err = strconv.ParseBool(text); err != nil {
			return malformed(name, "must be true or false")
		}
	case *time.Time:
		if *into, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return malformed(name, "must be a time such as 2026-01-31T12:00:00.000001Z")
		}
	default:
		return errs.New(errs.Internal, "parameter-type", "A parameter is declared with a type that cannot be read.")
	}
	return nil
}
