package shadow

import (
	"errors"
	"strconv"
	"strings"
)

// At rest the metadata of a shadow is the list of its leaves' time stamps, in
// the order in which the leaves stand in the text of desired and reported.
// Runs of one stamp are written once: "1700000100*3,1700000050". A shadow
// whose every leaf was set together pays a dozen bytes for its metadata.

func writeStamps(sections ...value) string {
	var w stampWriter
	for _, v := range sections {
		w.add(v)
	}
	w.flush()
	return string(w.out)
}

type stampWriter struct {
	out   []byte
	stamp int64
	run   int // leaves in a row that have stamp
}

func (w *stampWriter) add(v value) {
	for _, m := range v.members {
		w.add(m.value)
	}
	if !v.isLeaf() {
		return
	}
	if w.run > 0 && v.stamp != w.stamp {
		w.flush()
	}
	w.stamp = v.stamp
	w.run++
}

func (w *stampWriter) flush() {
	if w.run == 0 {
		return
	}
	if len(w.out) > 0 {
		w.out = append(w.out, ',')
	}
	w.out = strconv.AppendInt(w.out, w.stamp, 10)
	if w.run > 1 {
		w.out = strconv.AppendInt(append(w.out, '*'), int64(w.run), 10)
	}
	w.run = 0
}

// stampReader hands the stamps out again.
type stampReader struct {
	rest  string
	stamp int64
	run   int
}

var errStamps = errors.New("its time stamps do not fit its state")

// apply gives every leaf of v, which nobody else may have seen yet, its stamp.
func (r *stampReader) apply(v *value) error {
	for i := range v.members {
		if err := r.apply(&v.members[i].value); err != nil {
			return err
		}
	}
	if !v.isLeaf() {
		return nil
	}
	if r.run == 0 && !r.next() {
		return errStamps
	}
	r.run--
	v.stamp = r.stamp
	return nil
}

// next reads one run.
func (r *stampReader) next() bool {
	var run string
	run, r.rest, _ = strings.Cut(r.rest, ",")
	stamp, count, many := strings.Cut(run, "*")
	var err error
	if r.stamp, err = strconv.ParseInt(stamp, 10, 64); err != nil {
		return false
	}
	r.run = 1
	if many {
		r.run, err = strconv.Atoi(count)
	}
	return err == nil && r.run > 0
}
