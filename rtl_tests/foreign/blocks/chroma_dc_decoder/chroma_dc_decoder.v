// CAVLC of chroma DC blocks, decoder: a 32-bit window on the stream and, combinationally, how much of it was used.
// One syntax element a cycle; busy falls when the four levels stand. Levels up to +-100.
module chroma_dc_decoder (
    input              clk,
    input              rstn,
    input              start,
    output             busy,
    input      [31:0]  window,
    output reg [4:0]   used,
    output     [4*8-1:0] levels
);
  reg [2:0] st;
  reg [2:0] total, ones, left, zeros, place;
  reg [2:0] suffix;
  reg signed [7:0] level [0:3];
  reg signed [7:0] out [0:3];
  assign busy = st != 0;
  assign levels = {out[3], out[2], out[1], out[0]};

  // coeff_token, nC == -1 (Table 9-5): {length, TotalCoeff, TrailingOnes}
  reg [9:0] token;
  always @*
    casez (window[31:24])
      8'b1???????: token = {4'd1, 3'd1, 3'd1};
      8'b01??????: token = {4'd2, 3'd0, 3'd0};
      8'b001?????: token = {4'd3, 3'd2, 3'd2};
      8'b000111??: token = {4'd6, 3'd1, 3'd0};
      8'b000110??: token = {4'd6, 3'd2, 3'd1};
      8'b000101??: token = {4'd6, 3'd3, 3'd3};
      8'b000100??: token = {4'd6, 3'd2, 3'd0};
      8'b000011??: token = {4'd6, 3'd3, 3'd0};
      8'b000010??: token = {4'd6, 3'd4, 3'd0};
      8'b0000011?: token = {4'd7, 3'd3, 3'd1};
      8'b0000010?: token = {4'd7, 3'd3, 3'd2};
      8'b00000011: token = {4'd8, 3'd4, 3'd1};
      8'b00000010: token = {4'd8, 3'd4, 3'd2};
      default:     token = {4'd7, 3'd4, 3'd3};
    endcase

  // level_prefix, level_suffix
  reg [4:0] prefix;
  integer i;
  always @* begin
    prefix = 0;
    for (i = 0; i < 16; i = i + 1) if (window[31 - i] && prefix == 0) prefix = i + 1;
  end
  wire [4:0] zeros_ahead = prefix - 1;
  wire [31:0] after = window << prefix;
  reg [4:0] size;
  reg signed [12:0] code;
  reg signed [12:0] value;
  always @* begin
    size = suffix;
    if (zeros_ahead == 14 && suffix == 0) size = 4;
    if (zeros_ahead >= 15) size = 12;
    code = (zeros_ahead > 15 ? 15 : zeros_ahead) << suffix;
    if (size != 0) code = code + (after >> (32 - size));
    if (zeros_ahead >= 15 && suffix == 0) code = code + 15;
    if (left == total - ones && ones < 3) code = code + 2;
    value = code[0] ? (-code - 1) >>> 1 : (code + 2) >>> 1;
  end
  reg [2:0] tz, run;
  reg [4:0] tz_len, run_len;
  always @* begin
    tz = 0; tz_len = 0;
    case (total)
      1: begin tz = window[31] ? 0 : window[30] ? 1 : window[29] ? 2 : 3; tz_len = window[31] ? 1 : window[30] ? 2 : 3; end
      2: begin tz = window[31] ? 0 : window[30] ? 1 : 2; tz_len = window[31] ? 1 : 2; end
      3: begin tz = window[31] ? 0 : 1; tz_len = 1; end
      default: ;
    endcase
    run = 0; run_len = 0;
    case (zeros)
      0: ;
      1: begin run = window[31] ? 0 : 1; run_len = 1; end
      2: begin run = window[31] ? 0 : window[30] ? 1 : 2; run_len = window[31] ? 1 : 2; end
      default: begin run = 3 - window[31:30]; run_len = 2; end
    endcase
    used = 0;
    case (st)
      1: used = token[9:6];
      2: used = 1;
      3: used = prefix + size;
      4: used = total < 4 ? tz_len : 0;
      5: used = left > 1 ? run_len : 0;
      default: ;
    endcase
  end
  wire signed [12:0] magnitude = value < 0 ? -value : value;
  always @(posedge clk)
    if (!rstn) begin
      st <= 0; total <= 0; ones <= 0; left <= 0; zeros <= 0; place <= 0; suffix <= 0;
    end else
      case (st)
        0: if (start) begin st <= 1; out[0] <= 0; out[1] <= 0; out[2] <= 0; out[3] <= 0; end
        1: begin
          total <= token[5:3]; ones <= token[2:0]; left <= token[5:3]; suffix <= 0;
          st <= token[5:3] == 0 ? 0 : token[2:0] != 0 ? 2 : 3;
        end
        2: begin
          level[left - 1] <= window[31] ? -8'sd1 : 8'sd1;
          left <= left - 1;
          if (total - left + 1 == ones) st <= left == 1 ? 4 : 3;
        end
        3: begin
          level[left - 1] <= value[7:0];
          suffix <= suffix == 0 ? (magnitude > 3 ? 2 : 1) : (suffix < 6 && magnitude > (3 << (suffix - 1))) ? suffix + 1 : suffix;
          left <= left - 1;
          if (left == 1) st <= 4;
        end
        4: begin zeros <= total < 4 ? tz : 0; place <= total - 1 + (total < 4 ? tz : 0); left <= total; st <= 5; end
        5: begin
          out[place] <= level[left - 1];
          place <= place - 1 - (left > 1 ? run : 0);
          zeros <= zeros - (left > 1 ? run : 0);
          left <= left - 1;
          if (left == 1) st <= 0;
        end
        default: st <= 0;
      endcase
endmodule
