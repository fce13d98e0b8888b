// Runs the sketch as a board does, for three rounds a second apart.
#include "Arduino.h"
#include SKETCH

int main() {
  setup();
  for (int round = 0; round < 3; round++) {
    loop();
    delay(1000);
  }
}
