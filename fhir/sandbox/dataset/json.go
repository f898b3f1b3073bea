package dataset

import (
	"encoding/json"
	"strconv"
)

// doc appends one compact JSON value. Containers are written by callbacks, so
// that brackets always match; none of them allocates.
type doc struct{ b []byte }

func (d *doc) sep() {
	if n := len(d.b); n > 0 && d.b[n-1] != '{' && d.b[n-1] != '[' && d.b[n-1] != ':' {
		d.b = append(d.b, ',')
	}
}

func (d *doc) key(k string) {
	d.sep()
	d.b = append(append(append(d.b, '"'), k...), '"', ':')
}

// text writes a JSON string. Almost every string is plain ASCII from the
// catalogues, hence the short path.
func (d *doc) text(v string) {
	for i := 0; i < len(v); i++ {
		if c := v[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(v)
			if err != nil {
				quoted = []byte(`""`)
			}
			d.b = append(d.b, quoted...)
			return
		}
	}
	d.b = append(append(append(d.b, '"'), v...), '"')
}

func (d *doc) str(k, v string) {
	d.key(k)
	d.text(v)
}

func (d *doc) strs(k string, vs ...string) {
	d.key(k)
	d.b = append(d.b, '[')
	for _, v := range vs {
		d.sep()
		d.text(v)
	}
	d.b = append(d.b, ']')
}

func (d *doc) num(k string, v float64, decimals int) {
	d.key(k)
	d.b = strconv.AppendFloat(d.b, v, 'f', decimals, 64)
}

func (d *doc) int(k string, v int) {
	d.key(k)
	d.b = strconv.AppendInt(d.b, int64(v), 10)
}

func (d *doc) bool(k string, v bool) {
	d.key(k)
	d.b = strconv.AppendBool(d.b, v)
}

func (d *doc) obj(k string, body func()) {
	d.key(k)
	d.braces(body)
}

func (d *doc) arr(k string, body func()) {
	d.key(k)
	d.b = append(d.b, '[')
	body()
	d.b = append(d.b, ']')
}

// item is one object of the array being written.
func (d *doc) item(body func()) {
	d.sep()
	d.braces(body)
}

// one is an array of a single object.
func (d *doc) one(k string, body func()) {
	d.key(k)
	d.b = append(d.b, '[')
	d.braces(body)
	d.b = append(d.b, ']')
}

func (d *doc) braces(body func()) {
	d.b = append(d.b, '{')
	body()
	d.b = append(d.b, '}')
}
