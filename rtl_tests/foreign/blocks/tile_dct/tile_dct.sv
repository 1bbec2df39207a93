// Foreign-looking on purpose: HEVC forward transforms of 4x4 and 8x8; a block stands in the upper left corner of an 8x8
// tile, whatever its size; an unpacked array of two dimensions goes in, one flat port comes out; a latency that nobody
// wrote down and no valid; outputs assigned with `=`.
module tile_dct (
    input  logic               clk,
    input  logic               go,
    input  logic [1:0]         log2m2,              // 0: 4x4, 1: 8x8
    input  logic signed [8:0]  tile_in [0:7][0:7],
    output logic [64*16-1:0]   tile_out
);
  function automatic int basis(input int size, input int k, input int n);
    // 64 * sqrt(2) * cos(j * pi / 16) as the standard rounds it; the flat row is 64
    static int quarter [0:8] = '{64, 89, 83, 75, 64, 50, 36, 18, 0};
    int j;
    j = (k * (8 / size)) * (2 * n + 1) % 32;
    if (k == 0) return 64;
    if (j <= 8) return quarter[j];
    if (j <= 16) return -quarter[16 - j];
    if (j <= 24) return -quarter[j - 16];
    return quarter[32 - j];
  endfunction

  logic signed [8:0] held [0:7][0:7];
  logic [1:0] held_size, size2;
  int rows [0:7][0:7];
  always @(posedge clk) begin : stages
    int sum, size, first, second;
    // last stage first: with `=` each stage reads what the one before it left a cycle ago
    size = 4 << size2; second = size2 + 8;
    for (int y = 0; y < size; y++)
      for (int x = 0; x < size; x++) begin
        sum = 1 << (second - 1);
        for (int n = 0; n < size; n++) sum += basis(size, y, n) * rows[n][x];
        tile_out[(8*y + x)*16 +: 16] = 16'(sum >>> second);
      end
    size2 = held_size;
    size = 4 << held_size; first = held_size + 1;
    for (int y = 0; y < size; y++)
      for (int x = 0; x < size; x++) begin
        sum = 1 << (first - 1);
        for (int n = 0; n < size; n++) sum += basis(size, x, n) * held[y][n];
        rows[y][x] = sum >>> first;
      end
    if (go) begin held = tile_in; held_size = log2m2; end
  end
endmodule
