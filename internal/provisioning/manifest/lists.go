package manifest

import (
	"bufio"
	"encoding/base64"
	"encoding/csv"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// readEspressif reads a table with a header: MAC names the device, cert is its
// certificate in PEM, in quotes because it has many lines.
func readEspressif(in *bounded) iter.Seq2[Element, error] {
	return func(yield func(Element, error) bool) {
		table := csv.NewReader(in)
		table.FieldsPerRecord = -1 // short rows are broken, and no more than that
		table.ReuseRecord = true
		header, err := table.Read()
		if err != nil {
			yield(Element{}, rest(fmt.Errorf("the header: %w", err)))
			return
		}
		mac, cert := column(header, "MAC"), column(header, "cert")
		if mac < 0 || cert < 0 {
			yield(Element{}, rest(errors.New("the table has no columns MAC and cert")))
			return
		}
		for number := 1; ; number++ {
			in.next()
			row, err := table.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var element Element
			var syntax *csv.ParseError
			switch {
			case errors.As(err, &syntax): // the next line may be fine
			case err != nil:
				yield(Element{Number: number}, rest(err))
				return
			default:
				element, err = module(row, mac, cert)
			}
			element.Number = number
			if !yield(element, err) {
				return
			}
		}
	}
}

func column(header []string, name string) int {
	return slices.IndexFunc(header, func(h string) bool {
		return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")), name)
	})
}

// module reads one row. The address is written in many ways; the thing's name is
// 12 upper-case hex digits.
func module(row []string, mac, cert int) (Element, error) {
	if len(row) <= max(mac, cert) {
		return Element{}, errors.New("the row is too short")
	}
	id := strings.ToUpper(strings.NewReplacer(":", "", "-", "").Replace(strings.TrimSpace(row[mac])))
	element := Element{ID: strings.Clone(id)}
	if !isHex(id, 12) {
		return element, fmt.Errorf("the MAC address %.40q is not 12 hex digits", row[mac])
	}
	text := strings.TrimSpace(row[cert]) + "\n"
	if _, err := leafOf(text); err != nil {
		return element, err
	}
	element.PEM = text
	return element, nil
}

// readGenerated reads a device per line: a certificate in PEM, in base64.
func readGenerated(in *bounded) iter.Seq2[Element, error] {
	return func(yield func(Element, error) bool) {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, elementMax)
		number := 0
		for in.next(); lines.Scan(); in.next() {
			line := strings.TrimSpace(lines.Text())
			if line == "" {
				continue
			}
			number++
			element, err := generated(line)
			element.Number = number
			if !yield(element, err) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Element{Number: number + 1}, rest(err))
		}
	}
}

func generated(line string) (Element, error) {
	text, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return Element{}, errors.New("the line is not base64")
	}
	return named(string(text))
}

// readPEM reads certificates one behind another.
func readPEM(in *bounded) iter.Seq2[Element, error] {
	return func(yield func(Element, error) bool) {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, elementMax)
		var block strings.Builder
		number := 0
		for lines.Scan() {
			line := strings.TrimSpace(lines.Text())
			if strings.HasPrefix(line, "-----BEGIN ") {
				block.Reset()
			}
			block.WriteString(line + "\n")
			if !strings.HasPrefix(line, "-----END ") {
				continue
			}
			in.next()
			number++
			element, err := single(block.String())
			element.Number = number
			if !yield(element, err) {
				return
			}
			block.Reset()
		}
		if err := lines.Err(); err != nil {
			yield(Element{Number: number + 1}, rest(err))
		}
	}
}

// single gives the element of the one block in a text.
func single(text string) (Element, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return Element{}, errors.New("there is no certificate in PEM")
	}
	return named(string(pem.EncodeToMemory(block)))
}
