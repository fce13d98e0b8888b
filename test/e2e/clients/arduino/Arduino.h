// Stand-ins for what the sketch of the connection kit uses of the Arduino core
// and its libraries: enough to compile it with any C++ compiler and to say what
// it would do on a board. Tests only.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

typedef uint8_t byte;

static unsigned long clock_ms = 1000;
inline unsigned long millis() { return clock_ms; }
inline void delay(unsigned long ms) { clock_ms += ms; }

struct String {
  std::string text;
  const char *c_str() const { return text.c_str(); }
};

struct SerialPort {
  void begin(unsigned long) {}
  void println(const char *text) { std::printf("serial %s\n", text); }
  void printf(const char *format, ...) __attribute__((format(printf, 2, 3))) {
    std::va_list values;
    va_start(values, format);
    std::printf("serial ");
    std::vprintf(format, values);
    va_end(values);
  }
};
static SerialPort Serial;
