// Records of the encode core's interfaces.
package encode_core_pkg;

  localparam int unsigned BLOCKS = 24;  // 4x4 blocks of a macroblock: luma in raster order, Cb, Cr
  localparam int unsigned CB     = 16;  // place of the first block of Cb

  // Rows of levels, as in asic_model.codecs.h264.macroblock: luma by blkIdx, luma DC, Cb DC, Cr DC, Cb AC, Cr AC;
  // behind them the vector difference of an inter macroblock, x and y, as entropy takes it
  localparam int unsigned LUMA_DC   = 16;
  localparam int unsigned CB_DC     = 17;
  localparam int unsigned CHROMA_AC = 19;
  localparam int unsigned MVD       = 27;

  typedef logic [15:0][7:0]  block_t;   // 4x4 samples in raster order
  typedef logic [15:0][15:0] levels_t;  // scan order
  typedef logic [1:0][13:0]  vector_t;  // quarter samples, signed, [0] x

  localparam logic [1:0] STATUS_OK = 2'd0, STATUS_OUTPUT_FULL = 2'd2;

  // One picture to encode, asic_model.cores.encode.job.
  typedef struct packed {
    logic [12:0]       width;               // luma samples, even
    logic [12:0]       height;
    logic [31:0]       src_address;         // surface, a multiple of 64
    logic [31:0]       recon_address;       // surface of whole macroblocks
    logic [31:0]       out_address;         // a multiple of 8
    logic [31:0]       out_capacity;        // bytes
    logic [5:0]        qp;
    logic signed [4:0] chroma_qp_offset;
    logic              cabac;
    logic              deblock_disable;
    logic signed [3:0] deblock_alpha;       // slice_alpha_c0_offset_div2
    logic signed [3:0] deblock_beta;
    logic              idr;
    logic [1:0]        nal_ref_idc;
    logic [15:0]       idr_pic_id;
    logic [15:0]       frame_num;
    logic [15:0]       poc_lsb;
    logic [4:0]        log2_max_frame_num;
    logic [4:0]        log2_max_poc_lsb;    // 0: pic_order_cnt_type 2
    logic [31:0]       motion_out_address;  // 32 bytes a macroblock, a multiple of 8; 0: none
    logic              inter;               // a P picture of one reference
    logic [31:0]       ref_address;         // its surface, a multiple of 64
    logic [15:0]       ref_poc;             // as motion records name it
    logic [31:0]       motion_in_address;   // motion of the reference, as at motion_out_address; 0: none
    logic [1:0]        cabac_init_idc;
    logic              intra_in_inter;      // it may have intra macroblocks
  } job_t;

  // What is asked of the reference store (encode_core_reference), and what it gives: a cycle after a read.
  typedef struct packed {
    logic       luma_read;
    logic [5:0] luma_row;       // 0..53, from 19 above the macroblock
    logic [7:0] luma_x;         // of the first sample, in the ring of sixteen columns
    logic       chroma_read;
    logic       chroma_plane;   // 0 Cb, 1 Cr
    logic [4:0] chroma_row;     // 0..25, from 9 above
    logic [6:0] chroma_x;
    logic       quarter_read;
    logic [3:0] quarter_row;    // 0..10, from 16 samples above
    logic [5:0] quarter_x;
    logic       next;           // pulse: the macroblock at work is done with the store
  } store_ask_t;
  typedef struct packed {
    logic             whole;         // it holds all that the macroblock at work can reach
    logic [3:0]       place;         // of its column in the ring
    logic [31:0]      colocated;     // vector of the reference's macroblock there, quarter samples, x lowest
    logic             window_valid;  // a word of the motion search's window has come
    logic [5:0]       window_row;    // 0..47, from 16 above
    logic [3:0]       window_word;   // place of its column
    logic [15:0][7:0] window_data;
    logic [21:0][7:0] luma;
    logic [8:0][7:0]  chroma;
    logic [18:0][7:0] quarter;       // means of 4x4 luma samples
  } store_read_t;

  // What a macroblock's decision leaves for deblocking and for the motion record.
  typedef struct packed {
    logic [8:0]  x;
    logic [8:0]  y;
    logic        inter;
    logic [15:0] coded;   // inter: luma blocks in raster order that have levels
    vector_t     vector;
  } record_t;

  // Surface of a picture (asic_model.memory.surface): pitches are multiples of 64.
  typedef struct packed {
    logic [31:0] y;
    logic [31:0] cb;
    logic [31:0] cr;
    logic [12:0] pitch;
    logic [12:0] chroma_pitch;
  } surface_t;

  /* verilator lint_off UNUSEDSIGNAL */  // the lowest bits of sizes do not count
  function automatic surface_t surface_of(input logic [31:0] address, input logic [12:0] width, input logic [12:0] height);
    surface_t found;
    logic [12:0] chroma_width;
    chroma_width       = width >> 1;
    found.pitch        = {7'((width + 13'd63) >> 6), 6'd0};
    found.chroma_pitch = {7'((chroma_width + 13'd63) >> 6), 6'd0};
    found.y            = address;
    found.cb           = address + 32'(found.pitch) * 32'(height);
    found.cr           = found.cb + 32'(found.chroma_pitch) * 32'(height >> 1);
    return found;
  endfunction
  /* verilator lint_on UNUSEDSIGNAL */

endpackage
