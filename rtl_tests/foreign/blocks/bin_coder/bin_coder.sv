// Foreign-looking on purpose: the arithmetic coder of HEVC with a valid for each kind of bin, context states beside the
// bins, a pulse that flushes, and bits put out as they are decided, the first one included; outstanding bits are counted.
module bin_coder (
    input  logic        clk,
    input  logic        arst,
    input  logic        init,
    input  logic        ctx_v, byp_v, trm_v, flush_v,
    input  logic        bin,
    input  logic [6:0]  ctx,               // {pStateIdx, valMps}
    output logic        busy,
    output logic        bits_v,
    output logic [1:0]  bits_n,            // 1 or 2 bits of `bits`, from the top
    output logic [1:0]  bits,
    output logic        done
);
  logic [9:0] low;
  logic [8:0] range;
  logic [15:0] outstanding;
  logic [3:0] shifts;                      // doublings that are left
  logic paying, pay_bit, flushing;
  wire [7:0] lps = entropy_tables_pkg::LPS_RANGES[ctx[6:1]][8*range[7:6] +: 8];
  assign busy = shifts != 0 || paying || flushing;

  function automatic logic [3:0] doublings(input logic [8:0] r);
    doublings = 0;
    for (int n = 8; n >= 0; n--) if (r < (1 << n)) doublings = 4'(9 - n);
  endfunction

  always_ff @(posedge clk or posedge arst)
    if (arst) begin
      low <= 0; range <= 510; outstanding <= 0; shifts <= 0; paying <= 0; flushing <= 0; bits_v <= 0; done <= 0;
    end else begin
      bits_v <= 0; done <= 0;
      if (init) begin
        low <= 0; range <= 510; outstanding <= 0; shifts <= 0; paying <= 0; flushing <= 0;
      end else if (paying) begin
        bits_v <= 1; bits_n <= 1; bits <= {pay_bit, 1'b0};
        outstanding <= outstanding - 1'b1;
        if (outstanding == 1) paying <= 0;
      end else if (shifts != 0) begin
        // PutBit and doubling of `low` (9.3.4.3.3); the range was doubled with the bin
        shifts <= shifts - 1'b1;
        if (low >= 512 || low < 256) begin
          bits_v <= 1; bits_n <= 1; bits <= {low >= 512, 1'b0};
          pay_bit <= low < 512; paying <= outstanding != 0;
          low <= low >= 512 ? (low - 10'd512) << 1 : low << 1;
        end else begin
          outstanding <= outstanding + 1'b1; low <= (low - 10'd256) << 1;
        end
      end else if (flushing) begin
        bits_v <= 1; bits_n <= 2; bits <= {low[8], 1'b1};
        flushing <= 0; done <= 1;
      end else if (ctx_v) begin
        if (bin == ctx[0]) begin
          range <= (range - lps) << doublings(range - lps); shifts <= doublings(range - lps);
        end else begin
          low <= low + range - lps; range <= {1'b0, lps} << doublings({1'b0, lps}); shifts <= doublings({1'b0, lps});
        end
      end else if (trm_v) begin
        low <= bin ? low + range - 10'd2 : low;
        range <= bin ? 9'd256 : (range - 9'd2) << doublings(range - 9'd2);
        shifts <= bin ? 4'd7 : doublings(range - 9'd2);
      end else if (byp_v) begin
        // one doubling of `low` with half of the range's step: compare on twice the scale
        if ({low, 1'b0} + (bin ? range : 9'd0) >= 1024) begin
          bits_v <= 1; bits_n <= 1; bits <= 2'b10; pay_bit <= 0; paying <= outstanding != 0;
          low <= 10'(({low, 1'b0} + (bin ? range : 9'd0)) - 11'd1024);
        end else if ({low, 1'b0} + (bin ? range : 9'd0) < 512) begin
          bits_v <= 1; bits_n <= 1; bits <= 2'b00; pay_bit <= 1; paying <= outstanding != 0;
          low <= 10'({low, 1'b0} + (bin ? range : 9'd0));
        end else begin
          outstanding <= outstanding + 1'b1; low <= 10'({low, 1'b0} + (bin ? range : 9'd0) - 11'd512);
        end
      end else if (flush_v) begin
        bits_v <= 1; bits_n <= 1; bits <= {low[9], 1'b0}; pay_bit <= !low[9]; paying <= outstanding != 0; flushing <= 1;
      end
    end
endmodule
