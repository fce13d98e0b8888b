package manifest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// splitter cuts a JSON array into the texts of its elements. It looks at
// brackets and quotes alone, so that an element that is no JSON inside is broken
// by itself, and not with all that follow. The last text of a splitter is
// overwritten by the next.
type splitter struct {
	in  *bufio.Reader
	buf []byte
}

// open reads up to the bracket that begins the array.
func (s *splitter) open() error {
	first, err := s.skip(" \t\r\n")
	if err != nil || first != '[' {
		return errors.New("the manifest is not a JSON array")
	}
	return nil
}

// next gives the text of one element; io.EOF behind the array's end.
func (s *splitter) next() ([]byte, error) {
	c, err := s.skip(" \t\r\n,")
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the array does not end")
	case err != nil:
		return nil, err
	case c == ']':
		return nil, io.EOF
	}
	s.buf = append(s.buf[:0], c)
	if c == '{' || c == '[' {
		err = s.nested()
	} else {
		err = s.scalar(c)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return s.buf, err
}

// skip reads past some characters and gives the first other one.
func (s *splitter) skip(some string) (byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return 0, err
		}
		if !contains(some, c) {
			return c, nil
		}
	}
}

func contains(some string, c byte) bool {
	for i := range len(some) {
		if some[i] == c {
			return true
		}
	}
	return false
}

// take adds a byte to the text.
func (s *splitter) take() (byte, error) {
	c, err := s.in.ReadByte()
	if err != nil {
		return 0, err
	}
	if len(s.buf) >= elementMax {
		return 0, fmt.Errorf("an element takes more than %d bytes", elementMax)
	}
	s.buf = append(s.buf, c)
	return c, nil
}

// nested reads an object or array to its end.
func (s *splitter) nested() error {
	for depth := 1; depth > 0; {
		c, err := s.take()
		if err != nil {
			return err
		}
		switch c {
		case '"':
			err = s.text()
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// text reads a string to its end. A line's end ends one that was left open.
func (s *splitter) text() error {
	for {
		c, err := s.take()
		if err != nil || c == '"' || c == '\n' {
			return err
		}
		if c == '\\' {
			if _, err := s.take(); err != nil {
				return err
			}
		}
	}
}

// scalar reads what is no element of a manifest, up to the next one.
func (s *splitter) scalar(first byte) error {
	if first == '"' {
		return s.text()
	}
	for {
		c, err := s.take()
		if err != nil {
			return err
		}
		if c == ',' || c == ']' {
			s.buf = s.buf[:len(s.buf)-1]
			return s.in.UnreadByte()
		}
	}
}
